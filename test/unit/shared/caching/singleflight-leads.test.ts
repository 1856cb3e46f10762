import { describe, expect, test } from 'vitest';
import { CallerCancelled, type Cancellation, CancellationSource } from '../../../../shared/caching/cancellation.ts';
import { WaitOver } from '../../../../shared/caching/singleflight.ts';
import { settle, setUp } from './flights.ts';

describe('a load that its leader starts and ends itself', () => {
  test('is joined like any other, and exists once per key', async () => {
    const { ask, flights, loads } = setUp();
    const lead = flights.lead('k');
    expect([flights.lead('k'), flights.has('k'), flights.size()]).toEqual([undefined, true, 1]);
    const following = [ask(), ask()];
    await settle();
    lead?.resolve('v');
    expect(await Promise.all(following)).toEqual(Array(2).fill({ value: 'v', isCollapsed: true }));
    expect([loads.count(), flights.size()]).toEqual([0, 0]);
  });

  test('is taken over by a follower after a failure', async () => {
    const { ask, flights, loads } = setUp();
    const lead = flights.lead('k');
    const following = [ask(), ask()];
    await settle();
    lead?.reject(new Error('first'));
    await settle();
    loads.open[0]?.resolve('v');
    expect((await Promise.all(following)).map(({ value }) => value)).toEqual(['v', 'v']);
    expect(loads.count()).toBe(1);
  });

  test('may fail silently without followers', async () => {
    const { flights } = setUp();
    flights.lead('k')?.reject(new Error('first'));
    await settle();
    expect(flights.size()).toBe(0);
  });

  test('is replaced by a load with a later demand', () => {
    const { clock, flights } = setUp();
    const first = flights.lead('k');
    clock.advance(10);
    const second = flights.lead('k', clock.now());
    expect([first?.isCurrent(), second?.isCurrent()]).toEqual([false, true]);
    first?.resolve('old');
    expect(flights.has('k')).toBe(true);
  });

  test('is cancelled with its last caller, unless it has ended', () => {
    const { flights } = setUp();
    let gone = 0;
    const [left, ended] = [flights.lead('left'), flights.lead('ended')];
    for (const lead of [left, ended]) lead?.onCancel(() => void gone++);
    left?.abandon();
    expect([left?.isCancelled(), gone, flights.has('left')]).toEqual([true, 1, false]);
    ended?.resolve('v');
    ended?.abandon();
    expect(gone).toBe(1);
  });
});

describe('a load with callers that cancel', () => {
  function setUpLeaving() {
    const { clock, flights, loads } = setUp();
    let abandoned = 0;
    const ask = (cancellation?: Cancellation, waitTimeoutMs = 1000) =>
      flights.run('k', {
        load: (lead) => {
          lead.onCancel(() => void abandoned++);
          return loads.load();
        },
        waitTimeoutMs,
        cancellation,
        keepAlive: () => {},
      });
    return { ask, clock, flights, loads, abandoned: () => abandoned };
  }

  test('continues for the remaining callers after its leader has cancelled', async () => {
    const { abandoned, ask, loads } = setUpLeaving();
    const leader = new CancellationSource();
    const leading = ask(leader);
    const following = ask(new CancellationSource());
    leader.cancel();
    expect(abandoned()).toBe(0);
    loads.open[0]?.resolve('v');
    expect([(await leading).value, (await following).value, loads.count()]).toEqual(['v', 'v', 1]);
  });

  test('is cancelled once with its last caller, and not joined any more', async () => {
    const { abandoned, ask, clock, flights, loads } = setUpLeaving();
    const [leader, follower] = [new CancellationSource(), new CancellationSource()];
    const leading = ask(leader);
    const following = ask(follower);
    follower.cancel();
    await expect(following).rejects.toThrow(CallerCancelled);
    expect(abandoned()).toBe(0);
    leader.cancel();
    expect([abandoned(), flights.has('k'), clock.pending()]).toEqual([1, false, 0]);
    const next = ask();
    loads.open[1]?.resolve('new');
    expect((await next).value).toBe('new');
    loads.open[0]?.resolve('old');
    expect((await leading).value).toBe('old');
    expect(abandoned()).toBe(1);
  });

  test('is cancelled when its last follower times out', async () => {
    const { abandoned, ask, clock } = setUpLeaving();
    const leader = new CancellationSource();
    void ask(leader);
    const following = ask(new CancellationSource(), 100);
    leader.cancel();
    clock.advance(100);
    await expect(following).rejects.toThrow(WaitOver);
    expect(abandoned()).toBe(1);
  });

  test('continues for a caller that never cancels, and does not start for a cancelled one', async () => {
    const { abandoned, ask, loads } = setUpLeaving();
    const cancellation = new CancellationSource();
    const leading = ask();
    const following = ask(cancellation);
    cancellation.cancel();
    await expect(following).rejects.toThrow(CallerCancelled);
    await expect(ask(cancellation)).rejects.toThrow(CallerCancelled);
    loads.open[0]?.resolve('v');
    expect([(await leading).value, abandoned(), loads.count()]).toEqual(['v', 0, 1]);
  });

  test('removes all listeners at its end', async () => {
    const { ask, loads } = setUpLeaving();
    const listening = new Set<() => void>();
    const cancellation: Cancellation = {
      isCancelled: () => false,
      onCancel: (leave) => {
        listening.add(leave);
        return () => listening.delete(leave);
      },
    };
    const asked = [ask(cancellation), ask(cancellation)];
    await settle();
    expect(listening.size).toBe(2);
    loads.open[0]?.resolve('v');
    await Promise.all(asked);
    expect(listening.size).toBe(0);
  });
});
