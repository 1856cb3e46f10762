// Lists from memory and from the table: what may be served, what is loaded, and how often.
import { describe, expect, test } from 'vitest';
import type { ReadFailure } from '../../../../origin/bigtable/recommendation-table.ts';
import { createListMemory } from '../../../../origin/lists/list-memory.ts';
import { createListReader, MAX_LIST_AGE_MS } from '../../../../origin/lists/list-reader.ts';
import { createTableLoad, type Guard } from '../../../../origin/lists/load-lists.ts';
import { createManualClock } from '../../../../shared/clock.ts';
import { createCounters } from '../../../../shared/counters.ts';
import type { ListValue } from '../../../../shared/entry.ts';
import { EarshotError } from '../../../../shared/errors.ts';
import { type ListKey, makeUserHash } from '../../../../shared/keys.ts';
import type { ListAsk } from '../../../../shared/lists-read.ts';
import { EMPTY_MANIFEST, type Manifest } from '../../../../shared/manifest.ts';
import { OwnPresence, presenceOfAll } from '../../../../shared/presence.ts';

type Value = ListValue | ReadFailure;

const TIMEOUT_MS = 1000;
const FLIGHT_AGE_MS = 5000;
const TTL_MS = 600_000;
const absent: Value = { kind: 'absent' };
const failure: Value = { kind: 'error', code: 'unavailable' };
const list = (digest: string): Value => ({ kind: 'list', bytes: new Uint8Array([1]), generation: 1, digest });
const ask = (user = 'u:1', change: Partial<ListAsk> = {}): ListAsk => ({
  surface: 'home',
  variant: 'control',
  generation: 1,
  user,
  ...change,
});

/** Lets everything run that waits for nothing but its turn. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp({ memoryBytes = 1_000_000, listTtlSeconds = TTL_MS / 1000 } = {}) {
  const clock = createManualClock();
  const counters = createCounters();
  let manifest: Manifest = {
    version: 1,
    surfaces: {
      home: { salt: 's', listTtlSeconds, variants: [{ name: 'control', weight: 10_000, current: 1 }] },
    },
    erasures: [],
  };
  /** Calls of the table that a test answers by hand, with one value for all keys. */
  const calls: { users: string[]; timeoutMs: number; answer(value: Value): void; reject(error: Error): void }[] = [];
  const readLists = (keys: readonly ListKey[], timeoutMs: number) =>
    new Promise<Value[]>((resolve, reject) => {
      const users = keys.map(({ user }) => user);
      calls.push({ users, timeoutMs, answer: (value) => resolve(keys.map(() => value)), reject });
    });
  const guarded: { isBackground: boolean; weight: number; timeoutMs: number }[] = [];
  let shed = (_isBackground: boolean): boolean => false;
  const guard: Guard = async (entry, work) => {
    guarded.push(entry);
    if (shed(entry.isBackground)) throw new EarshotError('overloaded', 'origin', 'no room');
    return work(entry.timeoutMs / 2);
  };
  const memory = createListMemory(memoryBytes);
  const reader = createListReader({
    memory,
    load: createTableLoad({ table: { readLists }, clock, counters }),
    guard,
    manifest: () => manifest,
    clock,
    counters,
    flightAgeMs: FLIGHT_AGE_MS,
  });
  const read = (...asks: ListAsk[]) => reader.read(asks, TIMEOUT_MS);
  /** Reads what is not in memory, answered with `value`. */
  const load = async (value: Value, each = ask()) => {
    const reading = read(each);
    await settle();
    calls.at(-1)?.answer(value);
    return reading;
  };
  const erase = (user: string, atMs: number) => {
    manifest = { ...manifest, erasures: [{ userHash: makeUserHash(user), atMs }] };
  };
  const shedIf = (isShed: (isBackground: boolean) => boolean) => {
    shed = isShed;
  };
  return { calls, clock, counters, erase, guarded, load, memory, read, reader, shedIf };
}

/** Whether the next read is served from memory. */
async function isHeld({ calls, read }: ReturnType<typeof setUp>, each = ask()): Promise<boolean> {
  const before = calls.length;
  const reading = read(each);
  await settle();
  for (const call of calls.slice(before)) call.answer(list('anew'));
  await reading;
  return calls.length === before;
}

describe('a crowd that asks for one key while there is no room', () => {
  function setUpFull() {
    const clock = createManualClock();
    const waiting: { weight: number; admit(): void; refuse(): void }[] = [];
    const tableCalls: string[][] = [];
    const guard: Guard = ({ weight, timeoutMs }, work) =>
      new Promise((resolve, reject) => {
        const refuse = () => reject(new EarshotError('overloaded', 'origin', 'no room'));
        waiting.push({ weight, admit: () => void work(timeoutMs).then(resolve, reject), refuse });
      });
    const reader = createListReader({
      memory: createListMemory(1_000_000),
      load: async (asks) => {
        tableCalls.push(asks.map(({ user }) => user));
        // No table answers in the turn in which it is asked.
        await settle();
        return asks.map(() => ({ value: { kind: 'absent' }, storedAtMs: clock.now() }));
      },
      guard,
      manifest: () => EMPTY_MANIFEST,
      clock,
      counters: createCounters(),
      flightAgeMs: FLIGHT_AGE_MS,
    });
    const crowd = Array.from({ length: 1000 }, () => reader.read([ask()], TIMEOUT_MS));
    return { clock, crowd, reader, tableCalls, waiting };
  }

  test('takes the room of one, and is one load when there is some', async () => {
    const { crowd, reader, tableCalls, waiting } = setUpFull();
    const more = reader.read([ask(), ask('u:2')], TIMEOUT_MS);
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

  test('whose time is up in the queue is told so, each for itself', async () => {
    const { clock, crowd, waiting } = setUpFull();
    clock.advance(TIMEOUT_MS);
    waiting[0]?.admit();
    const codes = (await Promise.all(crowd)).map(([read]) => (read?.kind === 'error' ? read.code : read?.kind));
    expect([codes[0], new Set(codes.slice(1))]).toEqual(['absent', new Set(['deadline_exceeded'])]);
  });
});

describe('a list in memory', () => {
  test('is served with its age, which counts from when the call that read it began', async () => {
    const { calls, clock, counters, read } = setUp();
    const reading = read(ask());
    await settle();
    clock.advance(40);
    calls[0]?.answer(list('a'));
    expect(await reading).toEqual([list('a')]);
    clock.advance(100);
    expect(await read(ask())).toEqual([{ ...list('a'), ageMs: 140 }]);
    expect([calls.length, counters.get('origin_memory_hits_total')]).toEqual([1, 1]);
  });

  test('is served until the ttl of its surface is over', async () => {
    const each = setUp();
    await each.load(list('a'));
    each.clock.advance(TTL_MS - 1);
    expect(await isHeld(each)).toBe(true);
    each.clock.advance(1);
    expect(await isHeld(each)).toBe(false);
  });

  test('is served for an hour at most, whatever the ttl of its surface', async () => {
    const each = setUp({ listTtlSeconds: 86_400 });
    await each.load(list('a'));
    each.clock.advance(MAX_LIST_AGE_MS - 1);
    expect(await isHeld(each)).toBe(true);
    each.clock.advance(1);
    expect(await isHeld(each)).toBe(false);
  });

  test.each(['other', 'constructor'])(
    'of a surface that the manifest does not know (%s) is not served',
    async (surface) => {
      const each = setUp();
      await each.load(list('a'), ask('u:1', { surface }));
      expect(await isHeld(each, ask('u:1', { surface }))).toBe(false);
    },
  );

  test('that is absent is believed for 30 s', async () => {
    const each = setUp();
    await each.load(absent);
    each.clock.advance(29_999);
    expect(await each.read(ask())).toEqual([{ kind: 'absent', ageMs: 29_999 }]);
    each.clock.advance(1);
    expect(await isHeld(each)).toBe(false);
  });

  test('that is absent is believed for no longer than a list', async () => {
    const each = setUp({ listTtlSeconds: 10 });
    await each.load(absent);
    each.clock.advance(10_000);
    expect(await isHeld(each)).toBe(false);
  });

  test.each([
    { maxAgeMs: 100, isServed: true },
    { maxAgeMs: 99, isServed: false },
    { maxAgeMs: 0, isServed: false },
  ])('100 ms old is served to one who takes $maxAgeMs ms: $isServed', async ({ maxAgeMs, isServed }) => {
    const each = setUp();
    await each.load(list('a'));
    each.clock.advance(100);
    expect(await isHeld(each, ask('u:1', { maxAgeMs }))).toBe(isServed);
  });

  test('from before the erasure of its user is not served, from that moment on it is', async () => {
    const each = setUp();
    const readAtMs = each.clock.now();
    await each.load(list('a'));
    await each.load(list('b'), ask('u:2'));
    each.clock.advance(100);
    each.erase('u:1', readAtMs);
    expect(await isHeld(each)).toBe(true);
    each.erase('u:1', readAtMs + 1);
    expect(await isHeld(each, ask('u:2'))).toBe(true);
    expect(await isHeld(each)).toBe(false);
    expect(await isHeld(each)).toBe(true);
  });

  test('is the same for one who wants it expanded', async () => {
    const each = setUp();
    await each.load(list('a'), ask('u:1', { expand: 'items' }));
    expect(await isHeld(each)).toBe(true);
  });

  test('is not there after a failure: the next one asks again', async () => {
    const each = setUp();
    expect(await each.load(failure)).toEqual([failure]);
    expect(await isHeld(each)).toBe(false);
  });
});

describe('what is not in memory', () => {
  test('is loaded in one call for all keys of a request, and answered in their order', async () => {
    const { calls, guarded, load, read } = setUp();
    await load(list('a'), ask('u:2'));
    const reading = read(ask('u:1'), ask('u:2'), ask('u:3'));
    await settle();
    expect(calls[1]).toMatchObject({ users: ['u:1', 'u:3'], timeoutMs: TIMEOUT_MS / 2 });
    expect(guarded[1]).toEqual({ isBackground: false, weight: 2, timeoutMs: TIMEOUT_MS });
    calls[1]?.answer(list('b'));
    expect((await reading).map((each) => each.kind === 'list' && each.digest)).toEqual(['b', 'a', 'b']);
  });

  test('and asked for twice in a request is loaded once', async () => {
    const { calls, read } = setUp();
    const reading = read(ask(), ask());
    await settle();
    expect(calls.map(({ users }) => users)).toEqual([['u:1']]);
    calls[0]?.answer(list('a'));
    expect(await reading).toEqual([list('a'), list('a')]);
  });

  test('and nobody waits for is let in by the guard apart from what somebody does', async () => {
    const { calls, guarded, read, shedIf } = setUp();
    shedIf((isBackground) => isBackground);
    const reading = read(ask('u:1'), ask('u:2', { isBackground: true }), ask('u:3'));
    await settle();
    expect(guarded.map(({ isBackground, weight }) => [isBackground, weight])).toEqual([
      [false, 2],
      [true, 1],
    ]);
    calls[0]?.answer(list('a'));
    expect(await reading).toEqual([list('a'), { kind: 'error', code: 'overloaded' }, list('a')]);
  });

  test('and the guard has no room for is the guard\u2019s error for each key; a table that throws is internal', async () => {
    const { calls, read, shedIf } = setUp();
    shedIf(() => true);
    expect(await read(ask('u:1'), ask('u:2'))).toEqual(Array(2).fill({ kind: 'error', code: 'overloaded' }));
    shedIf(() => false);
    const reading = read(ask());
    await settle();
    calls[0]?.reject(new Error('a bug'));
    expect(await reading).toEqual([{ kind: 'error', code: 'internal' }]);
  });
});

describe('a load under way', () => {
  test('is joined by all who ask for its key, and counted as collapsed for them', async () => {
    const { calls, counters, read, reader } = setUp();
    const reads = Array.from({ length: 1000 }, () => read(ask()));
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
    const reads = Array.from({ length: 10 }, () => read(ask()));
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
    const [refresh, waiting] = [read(ask('u:1', { isBackground: true })), read(ask())];
    await settle();
    calls[0]?.answer(list('a'));
    expect(await refresh).toEqual([{ kind: 'error', code: 'overloaded' }]);
    expect(await waiting).toEqual([list('a')]);
    expect(guarded.map(({ isBackground }) => isBackground)).toEqual([true, false]);
  });

  test('is left by one whose time is up, as deadline_exceeded, and is stored all the same', async () => {
    const { calls, clock, read } = setUp();
    const leader = read(ask());
    const hasty = read(ask());
    await settle();
    clock.advance(TIMEOUT_MS);
    expect(await hasty).toEqual([{ kind: 'error', code: 'deadline_exceeded' }]);
    calls[0]?.answer(list('a'));
    await leader;
    expect(await read(ask())).toEqual([{ ...list('a'), ageMs: TIMEOUT_MS }]);
  });

  test('gives one who joined it later the age that it has for that one', async () => {
    const { calls, clock, read } = setUp();
    const leader = read(ask());
    await settle();
    clock.advance(30);
    const follower = read(ask());
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
    const reads = [read(ask())];
    await settle();
    clock.advance(30);
    reads.push(read(ask('u:1', { maxAgeMs: each.maxAgeMs })));
    await settle();
    expect(calls).toHaveLength(each.calls);
    for (const call of calls) call.answer(list('a'));
    await Promise.all(reads);
  });

  test('that began before its user was erased is not joined by one who comes after that is known', async () => {
    const { calls, clock, erase, read } = setUp();
    const early = read(ask());
    await settle();
    clock.advance(30);
    erase('u:1', clock.now());
    const late = read(ask());
    await settle();
    calls[0]?.answer(list('erased'));
    calls[1]?.answer(absent);
    expect([await early, await late]).toEqual([[list('erased')], [absent]]);
    expect(await read(ask())).toEqual([absent]);
  });

  test('that a later one has taken the place of is not stored, whichever comes last', async () => {
    const { calls, clock, read } = setUp();
    const early = read(ask());
    await settle();
    clock.advance(30);
    const late = read(ask('u:1', { maxAgeMs: 0 }));
    await settle();
    calls[1]?.answer(list('new'));
    await late;
    calls[0]?.answer(list('old'));
    expect(await early).toEqual([list('old')]);
    expect(await read(ask())).toEqual([list('new')]);
  });

  test('for longer than a request may take is not joined: a load that hangs is taken over', async () => {
    const { calls, clock, read } = setUp();
    const hanging = read(ask());
    await settle();
    clock.advance(FLIGHT_AGE_MS);
    const next = read(ask());
    await settle();
    expect(calls).toHaveLength(2);
    calls[1]?.answer(list('a'));
    expect(await next).toEqual([list('a')]);
    calls[0]?.answer(failure);
    expect(await hanging).toEqual([failure]);
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
    memory: createListMemory(1_000_000),
    load: (asks, _timeoutMs, presences = []) =>
      new Promise((resolve) => {
        presenceOfAll(presences).onGone(() => resolve(asks.map(() => ({ kind: 'error', code: 'deadline_exceeded' }))));
      }),
    guard,
    manifest: () => EMPTY_MANIFEST,
    clock,
    counters,
    flightAgeMs: FLIGHT_AGE_MS,
  });
  const caller = new OwnPresence();
  const reading = reader.read([ask('u:1'), ask('u:2')], TIMEOUT_MS, caller);
  await settle();
  caller.leave();
  await reading;
  expect([ended, counters.get('origin_cancelled_keys_total'), reader.flights()]).toEqual([['unavailable'], 2, 0]);
});
