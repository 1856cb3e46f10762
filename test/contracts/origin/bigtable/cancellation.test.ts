// A caller of `lists:read` that disconnects cancels its own work, down to the call at the cluster, and no other work.
// The clocks of origin and cluster stand still: a delayed call never completes by itself, so a call that ends was
// cancelled.

import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import type { ListKey } from '../../../../shared/domain/keys.ts';
import { LISTS_READ_PATH, type ListQuery } from '../../../../shared/wire/read-request.ts';
import { decodeListFrames } from '../../../../shared/wire/read-response.ts';
import { eventually } from '../../../support/waiting.ts';
import { MONDAY, startInstance, writeList } from '../instance.ts';
import { mintOriginToken, runOrigin } from '../running-origin.ts';
import { readCalls } from './running-table.ts';

const key = (user: string): ListKey => ({
  surface: toName('home'),
  variant: toName('control'),
  generation: MONDAY,
  user: toUserId(user),
});
/** The limit of keys in flight. */
const LIMIT = 200;

async function startHeld() {
  const serverClock = createManualClock();
  const instance = await startInstance({ clock: serverClock });
  await writeList(instance.bigtable, key('u:1'), '{"id":"a"}');
  const running = await runOrigin(instance, {
    hedgeProfile: undefined,
    readTimeoutMs: 60_000,
    // Never during a test: this read would be delayed too.
    manifestPollMs: 60_000,
  });
  const { server } = instance;
  const headers = {
    authorization: `Bearer ${await mintOriginToken(running.clock)}`,
    'content-type': 'application/json',
  };
  server.resetCounters();
  server.setFault('asia', { latencyMs: 60_000 });
  /** A read whose caller can disconnect. */
  const ask = (...asks: (string | ListQuery)[]) => {
    const caller = new AbortController();
    const body = JSON.stringify({ keys: asks.map((each) => (typeof each === 'string' ? key(each) : each)) });
    const url = `${running.origin.url}${LISTS_READ_PATH}`;
    const answer = fetch(url, { method: 'POST', body, headers, signal: caller.signal });
    const gone = expect(answer).rejects.toThrow('aborted');
    gone.catch(() => {});
    return {
      kinds: async () =>
        decodeListFrames(new Uint8Array(await (await answer).arrayBuffer()), asks.length).map(({ kind }) => kind),
      goAway: () => {
        caller.abort();
        return gone;
      },
    };
  };
  const count = running.origin.counters.get;
  /** Calls that the cluster delays. */
  const held = () => serverClock.pending();
  const gauge = async (name: string) =>
    Number(new RegExp(`^earshot_${name}\\{.*\\} (\\d+)$`, 'm').exec(await (await running.scrape()).text())?.[1]);
  return { ...running, ask, count, gauge, held, instance, server, serverClock };
}

describe('a caller who goes away', () => {
  test('while its call is out has it cancelled at the cluster, and gives its room back', async () => {
    const { ask, count, gauge, held, server } = await startHeld();
    const { goAway } = ask('u:1', 'u:2');
    await eventually(() => expect(held()).toBe(1));
    await goAway();
    await eventually(() => expect(held()).toBe(0));
    await eventually(() => expect(count('origin_cancelled_keys_total')).toBe(2));
    expect([await gauge('origin_executing'), await gauge('origin_flights')]).toEqual([0, 0]);
    expect([readCalls(server), server.counters('asia').rowsRead]).toEqual([1, 0]);
  });

  test('leaves a call that another one waits for too, who has its list with one row read', async () => {
    const { ask, count, gauge, held, server, serverClock } = await startHeld();
    const first = ask('u:1', 'u:2');
    await eventually(() => expect(held()).toBe(1));
    const second = ask('u:1');
    await eventually(() => expect(count('origin_reads_total')).toBe(3));
    await first.goAway();
    await eventually(() => expect(count('origin_cancelled_keys_total')).toBe(1));
    expect(held()).toBe(1);
    serverClock.advance(60_000);
    expect(await second.kinds()).toEqual(['list']);
    expect([readCalls(server), server.counters('asia').rowsRead]).toEqual([1, 1]);
    await eventually(async () => expect(await gauge('origin_executing')).toBe(0));
    expect(count('origin_collapsed_total')).toBe(1);
  });

  test('who had joined the load of another leaves that one alone', async () => {
    const { ask, count, held, serverClock } = await startHeld();
    const first = ask('u:1');
    await eventually(() => expect(held()).toBe(1));
    const second = ask('u:1');
    await eventually(() => expect(count('origin_reads_total')).toBe(2));
    await second.goAway();
    const marker = ask('u:9');
    await eventually(() => expect(held()).toBe(2));
    serverClock.advance(60_000);
    expect([await first.kinds(), await marker.kinds()]).toEqual([['list'], ['absent']]);
    expect(count('origin_cancelled_keys_total')).toBe(0);
  });

  test('while it waits for room leaves the queue: nothing is read for it', async () => {
    const { ask, count, gauge, held, server, serverClock } = await startHeld();
    const full = [0, 1].map((n) => ask(...Array.from({ length: LIMIT / 2 }, (_, i) => `u:${n}-${i}`)));
    await eventually(async () => expect(await gauge('origin_executing')).toBe(LIMIT));
    const { goAway } = ask('u:waits');
    await eventually(async () => expect(await gauge('origin_queue_depth')).toBe(1));
    await goAway();
    await eventually(async () => expect(await gauge('origin_queue_depth')).toBe(0));
    expect(count('origin_cancelled_keys_total')).toBe(1);
    await eventually(() => expect(held()).toBe(LIMIT / 100));
    serverClock.advance(60_000);
    for (const each of full) expect(new Set(await each.kinds())).toEqual(new Set(['absent']));
    expect(server.counters('asia').keysAsked).toBe(LIMIT);
  });

  test('from the queue leaves those behind it who want the same key: they have it', async () => {
    const { ask, count, gauge, held, serverClock } = await startHeld();
    const full = [0, 1].map((n) => ask(...Array.from({ length: LIMIT / 2 }, (_, i) => `u:${n}-${i}`)));
    await eventually(async () => expect(await gauge('origin_executing')).toBe(LIMIT));
    const first = ask('u:behind');
    await eventually(async () => expect(await gauge('origin_queue_depth')).toBe(1));
    const second = ask('u:behind');
    await eventually(() => expect(count('origin_reads_total')).toBe(LIMIT + 2));
    await first.goAway();
    await eventually(() => expect(count('origin_cancelled_keys_total')).toBe(1));
    await eventually(async () => expect(await gauge('origin_queue_depth')).toBe(1));
    let kinds: string[] | undefined;
    void second.kinds().then((each) => {
      kinds = each;
    });
    await eventually(() => {
      if (held() > 0) serverClock.advance(60_000);
      expect(kinds).toEqual(['absent']);
    });
    for (const each of full) expect((await each.kinds()).length).toBe(LIMIT / 2);
  });
});

test('a caller who goes away while items are read for their list has that call cancelled too', async () => {
  const { ask, gauge, held, instance, serverClock } = await startHeld();
  const { server } = instance;
  const { goAway } = ask({ ...key('u:1'), expand: 'items' });
  await eventually(() => expect(held()).toBe(1));
  serverClock.advance(60_000);
  await eventually(() => expect([readCalls(server), held()]).toEqual([2, 1]));
  await goAway();
  await eventually(() => expect(held()).toBe(0));
  await eventually(async () => expect(await gauge('origin_executing')).toBe(0));
  expect(server.counters('asia').rowsRead).toBe(1);
});

test('a caller who is answered leaves nothing behind', async () => {
  const { ask, clock, count, held, server, serverClock } = await startHeld();
  // The next heartbeat has its timer.
  await eventually(() => expect(count('origin_heartbeats_total')).toBe(1));
  await setImmediate();
  const timers = clock.pending();
  const { kinds } = ask('u:1');
  await eventually(() => expect(held()).toBe(1));
  serverClock.advance(60_000);
  expect(await kinds()).toEqual(['list']);
  server.setFault('asia', {});
  await ask('u:2').kinds();
  expect([count('origin_cancelled_keys_total'), clock.pending()]).toEqual([0, timers]);
});
