// The wait for replication: it ends exactly when every cluster has the earlier writes.

import { expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../../bench/support/manual-clock.ts';
import { waitForReplication } from '../../../ops/bigtable/replication.ts';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import { TABLES } from '../../../shared/domain/keys.ts';
import { eventually, settleWith } from '../../support/waiting.ts';
import { MONDAY, startInstance, writeList } from '../origin/instance.ts';

const POLL_MS = 500;

async function startWaiting() {
  const { bigtable, server } = await startInstance();
  const clock = createManualClock();
  const state = { isOver: false };
  return {
    server,
    clock,
    state,
    write: (user: string) =>
      writeList(
        bigtable,
        { surface: toName('home'), variant: toName('control'), generation: MONDAY, user: toUserId(user) },
        'list',
      ),
    wait: async (timeoutMs = 600_000, table: string = TABLES.recommendations) => {
      await waitForReplication(bigtable, table, { clock, timeoutMs });
      state.isOver = true;
    },
  };
}

/** Resolves after the wait has polled again and got a negative answer. */
async function askAgain(clock: ManualClock): Promise<void> {
  await eventually(() => expect(clock.pending()).toBe(1));
  clock.advance(POLL_MS);
  await eventually(() => expect(clock.pending()).toBe(1));
}

test('it is over at once when every cluster has everything', async () => {
  const { clock, wait, write } = await startWaiting();
  await write('u:1');
  await wait();
  expect(clock.pending()).toBe(0);
});

test('it lasts as long as one cluster is cut off, and ends when that one has caught up', async () => {
  const { clock, server, state, wait, write } = await startWaiting();
  server.stopReplication('us');
  await write('u:1');
  const waiting = wait();
  for (let asked = 0; asked < 5; asked++) await askAgain(clock);
  expect(state.isOver).toBe(false);
  server.resumeReplication('us');
  await settleWith(clock, waiting, POLL_MS);
  expect(server.clusters().map(({ pendingWrites }) => pendingWrites)).toEqual([0, 0, 0]);
});

test('it does not wait for later writes', async () => {
  const { clock, server, wait, write } = await startWaiting();
  server.stopReplication('us');
  await write('u:1');
  const waiting = wait();
  await askAgain(clock);
  server.resumeReplication('us');
  await eventually(() => expect(server.clusters().at(-1)?.pendingWrites).toBe(0));
  server.stopReplication('us');
  await write('u:2');
  await settleWith(clock, waiting, POLL_MS);
  expect(server.clusters().at(-1)?.pendingWrites).toBe(1);
});

test('it ends with an error that names the table and the time when a cluster does not catch up', async () => {
  const { clock, server, wait, write } = await startWaiting();
  server.stopReplication('europe');
  await write('u:1');
  const startedAtMs = clock.now();
  await expect(settleWith(clock, wait(10_000), POLL_MS)).rejects.toMatchObject({
    code: 'deadline_exceeded',
    source: 'table',
    message: 'table recommendations has not reached every cluster within 10000 ms',
  });
  expect(clock.now() - startedAtMs).toBe(10_000);
  expect(clock.pending()).toBe(0);
});

test('a table that does not exist is a clear error', async () => {
  const { wait } = await startWaiting();
  await expect(wait(1000, 'nothing')).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringMatching(/^asking whether table nothing has reached every cluster failed: .*Table not found/),
  });
});
