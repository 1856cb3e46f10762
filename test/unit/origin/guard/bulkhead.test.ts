import { describe, expect, test } from 'vitest';
import { CallerCancelled, CancellationSource } from '../../../../shared/caching/cancellation.ts';
import { EarshotError } from '../../../../shared/wire/errors.ts';
import { reasonOf, setUp } from './held-work.ts';

describe('slots', () => {
  test('are taken by weight: while one is free a read starts, then all wait, in the order of arrival', async () => {
    const { request, bulkhead, end, names, pass } = setUp({ slots: 100 });
    request(99, { name: 'a' });
    request(30, { name: 'b' });
    request(200, { name: 'c' });
    request(1, { name: 'd' });
    await pass();
    expect(names()).toEqual(['a', 'b']);
    expect(bulkhead.state()).toEqual({ executing: 129, queued: 201, waiting: 2, limit: 100 });
    await end(1);
    // One slot is free and d would fit. But c was first, and could wait forever behind small reads.
    expect(names()).toEqual(['a', 'b', 'c']);
    await end(0);
    expect(names()).toEqual(['a', 'b', 'c']);
    await end(2);
    expect(names()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('are given back when the work resolves, rejects or throws at once', async () => {
    const { request, bulkhead, pass, started } = setUp();
    const [a, b] = [request(50, { name: 'a' }), request(30)];
    const thrown = bulkhead.run({ priority: 'foreground', weight: 20, timeoutMs: 1000 }, () => {
      throw new Error('at once');
    });
    await expect(thrown).rejects.toThrow('at once');
    expect(bulkhead.state().executing).toBe(80);
    started[0]?.resolve();
    started[1]?.reject(new Error('later'));
    await pass();
    expect(bulkhead.state().executing).toBe(0);
    expect([a.settled.value, (b.settled.error as Error).message]).toEqual(['a', 'later']);
  });

  test('are enough for a read that is heavier than all of them, and of such for one at a time', async () => {
    const { request, bulkhead, end, names, pass } = setUp({ slots: 100 });
    request(200, { name: 'heavy' });
    request(200, { name: 'next' });
    request(1, { name: 'later' });
    await pass();
    expect(names()).toEqual(['heavy']);
    await end(0);
    expect([names(), bulkhead.state().executing]).toEqual([['heavy', 'next'], 200]);
    await end(1);
    expect(names()).toEqual(['heavy', 'next', 'later']);
  });

  test('tell those that have to wait before anything else happens, and neither those that start nor those that are refused', async () => {
    const { request, pass } = setUp({ slots: 10, queueSlots: 20 });
    const told: string[] = [];
    const tell = (name: string, weight: number) => request(weight, { onWait: () => void told.push(name) });
    tell('starts', 10);
    tell('waits', 20);
    expect(told).toEqual(['waits']);
    const refused = tell('refused', 1);
    await pass();
    expect([told, reasonOf(refused.settled)]).toEqual([['waits'], 'queue_full']);
  });

  test('that became fewer meanwhile start nothing until enough are free', async () => {
    const { request, end, names, pass, setSlots } = setUp({ slots: 100 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) request(25, { name });
    await pass();
    setSlots(50);
    await end(0);
    await end(1);
    expect(names()).toHaveLength(4);
    await end(2);
    expect(names()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('tell the limit of every read: how long it took, what was under way with it, how it ended', async () => {
    const { request, pass, samples, started } = setUp();
    for (const weight of [1, 2, 3]) request(weight);
    await pass(7);
    started[0]?.resolve();
    started[1]?.reject(new EarshotError('deadline_exceeded', 'table', 'too late'));
    started[2]?.reject(new EarshotError('unavailable', 'table', 'gone'));
    await pass();
    expect(samples).toEqual([
      { latencyMs: 7, weight: 1, inFlight: 1, outcome: 'ok', refusedShare: 0 },
      { latencyMs: 7, weight: 2, inFlight: 3, outcome: 'deadline', refusedShare: 0 },
      { latencyMs: 7, weight: 3, inFlight: 6, outcome: 'failed', refusedShare: 0 },
    ]);
  });
});

describe('the queue', () => {
  test('is bounded by keys and by reads, and says when to come again', async () => {
    const byKeys = setUp({ slots: 10, queueSlots: 50 });
    byKeys.request(10);
    const waiting = byKeys.request(50);
    const refused = byKeys.request(1);
    await byKeys.pass();
    expect([reasonOf(refused.settled), waiting.settled]).toEqual(['queue_full', {}]);
    expect(refused.settled.error).toMatchObject({ code: 'overloaded', source: 'origin', retryAfterSeconds: 1 });
    expect(byKeys.shed).toEqual([{ reason: 'queue_full', weight: 1, priority: 'foreground' }]);

    const byReads = setUp({ slots: 10, maxWaiting: 2 });
    const asked = [10, 1, 1, 1].map((weight) => byReads.request(weight));
    await byReads.pass();
    expect(asked.map(({ settled }) => reasonOf(settled))).toEqual([undefined, undefined, undefined, 'queue_full']);
  });

  test('takes one read whatever its weight: what never fits would never be served', async () => {
    const { request, bulkhead, pass } = setUp({ slots: 10, queueSlots: 50 });
    request(10);
    request(200);
    await pass();
    expect(bulkhead.state().queued).toBe(200);
  });

  test('says to come again after the time that it needs, at most 30 s', async () => {
    const { request, measureRate, pass } = setUp({ slots: 100, queueSlots: 5000, maxDelayMs: 1e6 });
    await measureRate(1);
    request(100);
    request(4900, { timeoutMs: 1e6 });
    const refused = request(1000);
    await pass();
    expect(refused.settled.error).toMatchObject({ reason: 'queue_full', retryAfterSeconds: 5 });

    const slow = setUp({ slots: 100, maxDelayMs: 1e9, queueSlots: 1000 });
    await slow.measureRate(0.01);
    slow.request(100);
    slow.request(1000, { timeoutMs: 1e9 });
    const later = slow.request(1);
    await slow.pass();
    expect(later.settled.error).toMatchObject({ retryAfterSeconds: 30 });
  });

  test('lets a read go when its time is up, without starting it, and the next one moves up', async () => {
    const { request, bulkhead, clock, end, names, pass, shed } = setUp({ slots: 100 });
    request(100, { name: 'a', timeoutMs: 5000 });
    const late = request(100, { name: 'late', timeoutMs: 50 });
    request(30, { name: 'next' });
    await pass(49);
    expect(bulkhead.state().waiting).toBe(2);
    await pass(1);
    expect([reasonOf(late.settled), bulkhead.state().waiting]).toEqual(['deadline_exceeded', 1]);
    expect(shed).toEqual([{ reason: 'expired', weight: 100, priority: 'foreground' }]);
    await end(0);
    expect(names()).toEqual(['a', 'next']);
    expect([bulkhead.state().waiting, clock.pending()]).toEqual([0, 0]);
  });

  test('gives the work the time that is left', async () => {
    const { request, end, pass, started } = setUp({ slots: 10 });
    request(10, { timeoutMs: 500 });
    request(10, { timeoutMs: 500 });
    await pass(120);
    await end(0);
    expect(started.map(({ remainingMs }) => remainingMs)).toEqual([500, 380]);
  });

  test('is left at once by a caller that has gone, and the next one moves up', async () => {
    const { request, bulkhead, clock, end, names, pass, shed } = setUp({ slots: 100 });
    const gone = new CancellationSource();
    request(100, { name: 'a' });
    const left = request(100, { name: 'left', cancellation: gone });
    request(30, { name: 'b' });
    await pass();
    gone.cancel();
    await pass();
    expect(left.settled.error).toBeInstanceOf(CallerCancelled);
    expect([names(), shed, bulkhead.state().queued]).toEqual([['a'], [], 30]);
    await end(0);
    expect([names(), bulkhead.state().queued, clock.pending()]).toEqual([['a', 'b'], 0, 0]);
    const never = request(1, { name: 'never', cancellation: gone });
    await pass();
    expect(never.settled.error).toBeInstanceOf(CallerCancelled);
    expect(names()).toEqual(['a', 'b']);
  });

  test('refuses what has no time left', async () => {
    const { request, names, pass } = setUp();
    const late = request(1, { timeoutMs: 0 });
    await pass();
    expect([reasonOf(late.settled), names()]).toEqual(['deadline_exceeded', []]);
  });
});

describe('a read that cannot be finished in its time', () => {
  test('is shed on arrival, by the rate that was measured and what is before it', async () => {
    const { request, measureRate, pass } = setUp({ slots: 100, maxDelayMs: 10_000, expectMs: 10 });
    await measureRate(1);
    request(149);
    request(100);
    // 100 keys before it and 50 until a slot is free: 150 ms until it starts, and 10 ms to read.
    const [hopeless, inTime] = [request(50, { timeoutMs: 155 }), request(50, { timeoutMs: 165 })];
    await pass();
    expect([reasonOf(hopeless.settled), inTime.settled]).toEqual(['hopeless', {}]);
  });

  test('is shed when its turn comes too late, and the next one is started', async () => {
    const { request, end, names, pass } = setUp({ slots: 10, expectMs: 30 });
    request(5, { name: 'a' });
    request(5, { name: 'b' });
    const hopeless = request(5, { name: 'hopeless', timeoutMs: 100 });
    request(5, { name: 'c' });
    await pass(80);
    await end(0);
    expect(reasonOf(hopeless.settled)).toBe('hopeless');
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  test('is started all the same when nothing is under way: what is expected may be wrong', async () => {
    const { request, names, pass } = setUp({ expectMs: 60_000 });
    request(1, { name: 'a', timeoutMs: 100 });
    await pass();
    expect(names()).toEqual(['a']);
  });
});

describe('reads that would wait too long', () => {
  test('are shed while the queue is longer than is allowed', async () => {
    const { request, measureRate, pass } = setUp({ slots: 100, maxDelayMs: 100 });
    await measureRate(1);
    const asked = [100, 60, 60, 1].map((weight) => request(weight));
    await pass();
    expect(asked.map(({ settled }) => reasonOf(settled))).toEqual([undefined, undefined, undefined, 'queue_delay']);
  });

  test('are measured by what is before them and not by their own weight: heavy ones get their share', async () => {
    const { request, measureRate, pass } = setUp({ slots: 100, maxDelayMs: 100 });
    await measureRate(1);
    const asked = [100, 90, 200].map((weight) => request(weight));
    await pass();
    expect(asked.map(({ settled }) => reasonOf(settled))).toEqual([undefined, undefined, undefined]);
  });

  test('are dropped at their turn when they came before an overload was found out, and fresh ones are read instead', async () => {
    const { request, end, measureRate, names, pass } = setUp({ slots: 100, maxDelayMs: 100 });
    await measureRate(1);
    request(100, { name: 'first' });
    const waits = request(100, { name: 'waits' });
    await pass(40);
    // In both of two intervals nine of ten arrivals are shed.
    for (let interval = 0; interval < 2; interval++) {
      for (let read = 0; read < 9; read++) request(100);
      await pass(51);
    }
    const refused = request(100);
    await end(0);
    expect([reasonOf(waits.settled), reasonOf(refused.settled)]).toEqual(['queue_delay', 'queue_delay']);
    request(100, { name: 'next' });
    await pass();
    expect(names()).toEqual(['first', 'next']);
  });

  test('are not dropped while nothing is refused, however long a slow server has let them wait', async () => {
    const { request, end, measureRate, names, pass } = setUp({ slots: 100, maxDelayMs: 100 });
    await measureRate(1);
    request(100, { name: 'first', timeoutMs: 60_000 });
    request(100, { name: 'waits', timeoutMs: 60_000 });
    await pass(10_000);
    await end(0);
    expect(names()).toEqual(['first', 'waits']);
  });

  test('are let in again 5 s after the server had come to a halt: else it could never be found out that it goes on', async () => {
    const { request, bulkhead, end, names, pass } = setUp({ slots: 10 });
    request(10, { name: 'a', timeoutMs: 60_000 });
    request(10, { name: 'b', timeoutMs: 60_000 });
    await pass(50_000);
    await end(0);
    const refused = request(10);
    await pass(5001);
    request(10, { name: 'c' });
    await pass();
    expect([reasonOf(refused.settled), bulkhead.state().waiting]).toEqual(['hopeless', 1]);
    await end(1);
    expect(names()).toEqual(['a', 'b', 'c']);
  });
});
