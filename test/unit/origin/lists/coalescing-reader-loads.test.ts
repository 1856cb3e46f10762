// Loads of lists with several callers: the number of loads, and the outcome that each caller gets.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import type { Guard } from '../../../../origin/guard/guard.ts';
import { createListReader } from '../../../../origin/lists/coalescing-reader.ts';
import { createListMemory } from '../../../../origin/lists/list-memory.ts';
import { createCohortCounter } from '../../../../origin/metrics/cohorts.ts';
import { CancellationSource, combineCancellations } from '../../../../shared/caching/cancellation.ts';
import { EMPTY_MANIFEST } from '../../../../shared/domain/manifest.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';
import { EarshotError } from '../../../../shared/wire/errors.ts';
import { absent, FLIGHT_AGE_MS, failure, list, query, settle, setUp, TIMEOUT_MS } from './answered-reader.ts';

describe('a load under way', () => {
  test('is joined by all who ask for its key, and counted as collapsed for them', async () => {
    const { calls, counters, read, reader } = setUp();
    const reads = Array.from({ length: 1000 }, () => read(query()));
    await settle();
    expect([calls.length, reader.flights()]).toEqual([1, 1]);
    calls[0]?.answer(list('a'));
    expect(new Set((await Promise.all(reads)).flat().map((each) => each.kind === 'list' && each.digest))).toEqual(
      new Set(['a']),
    );
    expect([counters.get('origin_collapsed_total'), reader.flights()]).toEqual([999, 0]);
  });

  test('that fails is followed by one more for all who joined it, whose failure is everybody\u2019s', async () => {
    const { calls, read } = setUp();
    const reads = Array.from({ length: 10 }, () => read(query()));
    await settle();
    calls[0]?.answer(failure);
    await settle();
    expect(calls).toHaveLength(2);
    calls[1]?.answer(failure);
    expect((await Promise.all(reads)).flat()).toEqual(Array(10).fill(failure));
    expect(calls).toHaveLength(2);
  });

  test('in the background that is shed costs those who wait one load in the foreground, not an error', async () => {
    const { calls, guarded, read, shedIf } = setUp();
    shedIf((isBackground) => isBackground);
    const [refresh, waiting] = [read(query('u:1', { isBackground: true })), read(query())];
    await settle();
    calls[0]?.answer(list('a'));
    expect(await refresh).toEqual([{ kind: 'error', code: 'overloaded' }]);
    expect(await waiting).toEqual([list('a')]);
    expect(guarded.map(({ isBackground }) => isBackground)).toEqual([true, false]);
  });

  test('is left by one whose time is up, as deadline_exceeded, and is stored all the same', async () => {
    const { calls, clock, read } = setUp();
    const leader = read(query());
    const hasty = read(query());
    await settle();
    clock.advance(TIMEOUT_MS);
    expect(await hasty).toEqual([{ kind: 'error', code: 'deadline_exceeded' }]);
    calls[0]?.answer(list('a'));
    await leader;
    expect(await read(query())).toEqual([{ ...list('a'), ageMs: TIMEOUT_MS }]);
  });

  test('gives one who joined it later the age that it has for that one', async () => {
    const { calls, clock, read } = setUp();
    const leader = read(query());
    await settle();
    clock.advance(30);
    const follower = read(query());
    await settle();
    calls[0]?.answer(list('a'));
    expect([await leader, await follower]).toEqual([[list('a')], [{ ...list('a'), ageMs: 30 }]]);
  });

  test.each([
    { maxAgeMs: 30, calls: 1 },
    { maxAgeMs: 29, calls: 2 },
    { maxAgeMs: 0, calls: 2 },
  ])('for 30 ms is joined by one who takes $maxAgeMs ms only if it began late enough', async (each) => {
    const { calls, clock, read } = setUp();
    const reads = [read(query())];
    await settle();
    clock.advance(30);
    reads.push(read(query('u:1', { maxAgeMs: each.maxAgeMs })));
    await settle();
    expect(calls).toHaveLength(each.calls);
    for (const call of calls) call.answer(list('a'));
    await Promise.all(reads);
  });

  test('that began before its user was erased is not joined by one who comes after that is known', async () => {
    const { calls, clock, erase, read } = setUp();
    const early = read(query());
    await settle();
    clock.advance(30);
    erase('u:1', clock.now());
    const late = read(query());
    await settle();
    calls[0]?.answer(list('erased'));
    calls[1]?.answer(absent);
    expect([await early, await late]).toEqual([[list('erased')], [absent]]);
    expect(await read(query())).toEqual([absent]);
  });

  test('that a later one has taken the place of is not stored, whichever comes last', async () => {
    const { calls, clock, read } = setUp();
    const early = read(query());
    await settle();
    clock.advance(30);
    const late = read(query('u:1', { maxAgeMs: 0 }));
    await settle();
    calls[1]?.answer(list('new'));
    await late;
    calls[0]?.answer(list('old'));
    expect(await early).toEqual([list('old')]);
    expect(await read(query())).toEqual([list('new')]);
  });

  test('for longer than a request may take is not joined: a load that hangs is taken over', async () => {
    const { calls, clock, read } = setUp();
    const hanging = read(query());
    await settle();
    clock.advance(FLIGHT_AGE_MS);
    const next = read(query());
    await settle();
    expect(calls).toHaveLength(2);
    calls[1]?.answer(list('a'));
    expect(await next).toEqual([list('a')]);
    calls[0]?.answer(failure);
    expect(await hanging).toEqual([failure]);
  });
});

describe('a crowd that asks for one key while there is no room', () => {
  function setUpFull() {
    const clock = createManualClock();
    const waiting: { weight: number; admit(): void; refuse(): void }[] = [];
    const tableCalls: string[][] = [];
    const guard: Guard = ({ weight, timeoutMs, onWait }, work) =>
      new Promise((resolve, reject) => {
        onWait?.();
        const refuse = () => reject(new EarshotError('overloaded', 'origin', 'no room'));
        waiting.push({ weight, admit: () => void work(timeoutMs).then(resolve, reject), refuse });
      });
    const reader = createListReader({
      cohorts: createCohortCounter(),
      memory: createListMemory(1_000_000),
      load: async (queries) => {
        tableCalls.push(queries.map(({ user }) => user));
        // A table never answers in the turn of its call.
        await settle();
        return queries.map(() => ({ value: { kind: 'absent' }, storedAtMs: clock.now() }));
      },
      guard,
      manifest: () => EMPTY_MANIFEST,
      clock,
      counters: createCounters(),
      flightAgeMs: FLIGHT_AGE_MS,
    });
    const crowd = Array.from({ length: 1000 }, () => reader.read([query()], TIMEOUT_MS));
    return { clock, crowd, reader, tableCalls, waiting };
  }

  test('takes the room of one, and is one load when there is some', async () => {
    const { crowd, reader, tableCalls, waiting } = setUpFull();
    const more = reader.read([query(), query('u:2')], TIMEOUT_MS);
    await settle();
    expect(waiting.map(({ weight }) => weight)).toEqual([1, 1]);
    for (const { admit } of waiting) admit();
    expect(new Set((await Promise.all(crowd)).flatMap((read) => read.map(({ kind }) => kind)))).toEqual(
      new Set(['absent']),
    );
    expect(await more).toMatchObject([{ kind: 'absent' }, { kind: 'absent' }]);
    expect(tableCalls).toEqual([['u:1'], ['u:2']]);
  });

  test('is refused as one', async () => {
    const { crowd, tableCalls, waiting } = setUpFull();
    waiting[0]?.refuse();
    const reads = await Promise.all(crowd);
    expect(new Set(reads.map(([read]) => JSON.stringify(read)))).toEqual(
      new Set(['{"kind":"error","code":"overloaded"}']),
    );
    expect([waiting.length, tableCalls]).toEqual([1, []]);
  });

  test('that is refused at once asks one by one: what would hold it together costs more than a refusal', async () => {
    const { guarded, read, shedIf } = setUp();
    shedIf(() => true);
    const reads = await Promise.all(Array.from({ length: 3 }, () => read(query())));
    expect(reads).toEqual(Array.from({ length: 3 }, () => [{ kind: 'error', code: 'overloaded' }]));
    expect(guarded).toHaveLength(3);
  });

  test('whose time is up in the queue is told so, each for itself', async () => {
    const { clock, crowd, waiting } = setUpFull();
    clock.advance(TIMEOUT_MS);
    waiting[0]?.admit();
    const codes = (await Promise.all(crowd)).map(([read]) => (read?.kind === 'error' ? read.code : read?.kind));
    expect([codes[0], new Set(codes.slice(1))]).toEqual(['absent', new Set(['deadline_exceeded'])]);
  });
});

test('a read whose caller has gone ends for the guard neither as a quick read nor as a slow one', async () => {
  const clock = createManualClock();
  const counters = createCounters();
  const ended: (string | undefined)[] = [];
  const guard: Guard = async ({ timeoutMs }, work) => {
    try {
      const result = await work(timeoutMs);
      ended.push(undefined);
      return result;
    } catch (error) {
      ended.push((error as EarshotError).code);
      throw error;
    }
  };
  const reader = createListReader({
    cohorts: createCohortCounter(),
    memory: createListMemory(1_000_000),
    load: (queries, _timeoutMs, cancellations = []) =>
      new Promise((resolve) => {
        combineCancellations(cancellations).onCancel(() =>
          resolve(queries.map(() => ({ kind: 'error', code: 'deadline_exceeded' }))),
        );
      }),
    guard,
    manifest: () => EMPTY_MANIFEST,
    clock,
    counters,
    flightAgeMs: FLIGHT_AGE_MS,
  });
  const caller = new CancellationSource();
  const reading = reader.read([query('u:1'), query('u:2')], TIMEOUT_MS, caller);
  await settle();
  caller.cancel();
  await reading;
  expect([ended, counters.get('origin_cancelled_keys_total'), reader.flights()]).toEqual([['unavailable'], 2, 0]);
});
