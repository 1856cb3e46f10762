// Metadata of items: from memory, refreshed before it is too old, and stale only if the table fails.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import type { ItemValue, ReadFailure } from '../../../../origin/bigtable/stored-values.ts';
import { createItemReader } from '../../../../origin/items/item-reader.ts';
import { ITEM_TTL_MS } from '../../../../shared/caching/lifetime.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';
import { EarshotError } from '../../../../shared/wire/errors.ts';

type Value = ItemValue | ReadFailure;

const TIMEOUT_MS = 1000;
const FLIGHT_AGE_MS = 5000;
const failure: Value = { kind: 'error', code: 'unavailable' };
const absent: Value = { kind: 'absent' };
const item = (json: string): Value => ({ kind: 'item', bytes: Buffer.from(json) });

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp(maxBytes = 1_000_000) {
  const clock = createManualClock();
  const counters = createCounters();
  const calls: { ids: readonly string[]; answer(value: Value): void }[] = [];
  const guarded: { isBackground: boolean; weight: number }[] = [];
  const room = { isThere: true };
  const reader = createItemReader({
    maxBytes,
    table: {
      readItems: (keys) =>
        new Promise((resolve) => {
          calls.push({ ids: keys.map(({ id }) => id), answer: (value) => resolve(keys.map(() => value)) });
        }),
    },
    guard: async ({ isBackground, weight, timeoutMs }, work) => {
      guarded.push({ isBackground, weight });
      if (!room.isThere) throw new EarshotError('overloaded', 'origin', 'no room');
      return work(timeoutMs);
    },
    clock,
    counters,
    flightAgeMs: FLIGHT_AGE_MS,
  });
  const read = (...ids: string[]) => reader.read(ids, undefined, TIMEOUT_MS);
  /** Reads a key that is not in memory. The table answers `value`. */
  const load = async (value: Value, ...ids: string[]) => {
    const reading = read(...ids);
    await settle();
    calls.at(-1)?.answer(value);
    return reading;
  };
  return { calls, clock, counters, guarded, load, read, reader, room };
}

const jsonOf = (known: ReadonlyMap<string, { json: Uint8Array | undefined }>, id = 'a') => {
  const found = known.get(id);
  if (found === undefined) return 'unknown';
  return found.json === undefined ? 'absent' : Buffer.from(found.json).toString();
};

describe('items', () => {
  test('are read once for all who ask, those of one request in one call, each once', async () => {
    const { calls, counters, guarded, load, read } = setUp();
    const reading = load(item('{}'), 'a', 'b', 'a');
    const other = read('b');
    await reading;
    expect(jsonOf(await other, 'b')).toBe('{}');
    expect(calls.map(({ ids }) => ids)).toEqual([['a', 'b']]);
    expect(guarded).toEqual([{ isBackground: false, weight: 2 }]);
    expect(counters.snapshot()).toMatchObject({ origin_item_reads_total: 3, origin_item_misses_total: 3 });
    await read('a', 'b');
    expect(counters.snapshot()).toMatchObject({ origin_item_reads_total: 5, origin_item_misses_total: 3 });
  });

  test('are as old as the call that read them', async () => {
    const { calls, clock, read } = setUp();
    const startedAtMs = clock.now();
    const reading = read('a');
    await settle();
    clock.advance(50);
    calls[0]?.answer(item('{}'));
    expect((await reading).get('a')?.storedAtMs).toBe(startedAtMs);
  });

  test('come in one line, whatever white space they are written with', async () => {
    const { load } = setUp();
    const known = await load(item('{\n  "a": 1,\r\n  "b": "x\\ny"\n}\n'), 'a');
    expect(jsonOf(known)).not.toContain('\n');
    expect(JSON.parse(jsonOf(known))).toEqual({ a: 1, b: 'x\ny' });
  });

  test('are kept in memory of their own, not in the message that they came in', async () => {
    const { load } = setUp();
    const message = Buffer.from('xx{}xx');
    const known = await load({ kind: 'item', bytes: message.subarray(2, 4) }, 'a');
    message.fill('y');
    expect(jsonOf(known)).toBe('{}');
    expect(known.get('a')?.json?.buffer.byteLength).toBe(2);
  });

  test('that are not there are remembered as such', async () => {
    const { calls, load, read } = setUp();
    expect(jsonOf(await load(absent, 'a'))).toBe('absent');
    expect([jsonOf(await read('a')), calls.length]).toEqual(['absent', 1]);
  });

  test('that could not be read are left out and not remembered: the next one asks again', async () => {
    const { calls, load } = setUp();
    expect(jsonOf(await load(failure, 'a'))).toBe('unknown');
    expect(jsonOf(await load(item('{}'), 'a'))).toBe('{}');
    expect(calls).toHaveLength(2);
  });

  test('that the guard has no room for are left out', async () => {
    const { calls, read, room } = setUp();
    room.isThere = false;
    expect(jsonOf(await read('a'))).toBe('unknown');
    expect(calls).toEqual([]);
  });
});

describe('an item', () => {
  test('is not read anew before half of its time is over', async () => {
    const { calls, clock, load, read } = setUp();
    await load(item('1'), 'a');
    clock.advance(ITEM_TTL_MS / 2 - 1);
    expect(jsonOf(await read('a'))).toBe('1');
    await settle();
    expect(calls).toHaveLength(1);
  });

  test('is read anew in the background from half of its time on, once, and served meanwhile', async () => {
    const { calls, clock, guarded, load, read } = setUp();
    await load(item('1'), 'a');
    clock.advance(ITEM_TTL_MS / 2);
    for (let i = 0; i < 5; i++) expect(jsonOf(await read('a'))).toBe('1');
    await settle();
    expect([calls.length, guarded.at(-1)]).toEqual([2, { isBackground: true, weight: 1 }]);
    calls[1]?.answer(item('2'));
    await settle();
    expect(jsonOf(await read('a'))).toBe('2');
    expect(calls).toHaveLength(2);
  });

  test('that is at the end of its time is waited for', async () => {
    const { calls, clock, load, read } = setUp();
    await load(item('1'), 'a');
    clock.advance(ITEM_TTL_MS);
    let isAnswered = false;
    const reading = read('a').finally(() => {
      isAnswered = true;
    });
    await settle();
    expect(isAnswered).toBe(false);
    calls[1]?.answer(item('2'));
    expect(jsonOf(await reading)).toBe('2');
  });

  test('is served older when the table does not give it, with its true age, for a day', async () => {
    const { clock, load } = setUp();
    const storedAtMs = clock.now();
    await load(item('1'), 'a');
    clock.advance(ITEM_TTL_MS);
    expect(await load(failure, 'a')).toEqual(new Map([['a', { json: new Uint8Array(Buffer.from('1')), storedAtMs }]]));
    clock.advance(86_400_000 - 1);
    expect(jsonOf(await load(failure, 'a'))).toBe('1');
    clock.advance(1);
    expect(jsonOf(await load(failure, 'a'))).toBe('unknown');
  });

  test('whose refresh in the background fails is served as it was', async () => {
    const { calls, clock, load, read } = setUp();
    await load(item('1'), 'a');
    clock.advance(ITEM_TTL_MS / 2);
    await read('a');
    await settle();
    calls[1]?.answer(failure);
    await settle();
    expect(jsonOf(await read('a'))).toBe('1');
  });

  test('that was removed from the table is absent after the next reading', async () => {
    const { clock, load } = setUp();
    await load(item('1'), 'a');
    clock.advance(ITEM_TTL_MS);
    expect(jsonOf(await load(absent, 'a'))).toBe('absent');
  });

  test('from a load that a later one has taken the place of does not replace what that one brought', async () => {
    const { calls, clock, load, read } = setUp();
    const hanging = read('a');
    await settle();
    clock.advance(FLIGHT_AGE_MS);
    expect(jsonOf(await load(item('new'), 'a'))).toBe('new');
    calls[0]?.answer(item('old'));
    await hanging;
    expect(jsonOf(await read('a'))).toBe('new');
  });
});

test('the memory is bounded by bytes of ids, items and bookkeeping', async () => {
  const { load, reader } = setUp(3_000);
  await load(item('x'.repeat(359)), 'a');
  expect([reader.entries, reader.bytes]).toEqual([1, 640 + 1 + 359]);
  for (const id of ['b', 'c', 'd']) await load(item('x'.repeat(359)), id);
  expect([reader.entries, reader.bytes]).toEqual([3, 3_000]);
});
