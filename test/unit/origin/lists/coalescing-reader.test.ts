// Lists from memory and from the table: which are served, and which are loaded.

import { describe, expect, test } from 'vitest';
import { MAX_LIST_AGE_MS } from '../../../../origin/lists/freshness.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import { absent, failure, isCached, list, query, settle, setUp, TIMEOUT_MS, TTL_MS } from './answered-reader.ts';

describe('a list in memory', () => {
  test('is served with its age, which counts from when the call that read it began', async () => {
    const { calls, clock, counters, read } = setUp();
    const reading = read(query());
    await settle();
    clock.advance(40);
    calls[0]?.answer(list('a'));
    expect(await reading).toEqual([list('a')]);
    clock.advance(100);
    expect(await read(query())).toEqual([{ ...list('a'), ageMs: 140 }]);
    expect([calls.length, counters.get('origin_memory_hits_total')]).toEqual([1, 1]);
  });

  test('is served until the ttl of its surface is over', async () => {
    const each = setUp();
    await each.load(list('a'));
    each.clock.advance(TTL_MS - 1);
    expect(await isCached(each)).toBe(true);
    each.clock.advance(1);
    expect(await isCached(each)).toBe(false);
  });

  test('is served for an hour at most, whatever the ttl of its surface', async () => {
    const each = setUp({ listTtlSeconds: 86_400 });
    await each.load(list('a'));
    each.clock.advance(MAX_LIST_AGE_MS - 1);
    expect(await isCached(each)).toBe(true);
    each.clock.advance(1);
    expect(await isCached(each)).toBe(false);
  });

  test.each(['other', 'constructor'])(
    'of a surface that the manifest does not know (%s) is not served',
    async (surface) => {
      const each = setUp();
      await each.load(list('a'), query('u:1', { surface: toName(surface) }));
      expect(await isCached(each, query('u:1', { surface: toName(surface) }))).toBe(false);
    },
  );

  test('that is absent is believed for 30 s', async () => {
    const each = setUp();
    await each.load(absent);
    each.clock.advance(29_999);
    expect(await each.read(query())).toEqual([{ kind: 'absent', ageMs: 29_999 }]);
    each.clock.advance(1);
    expect(await isCached(each)).toBe(false);
  });

  test('that is absent is believed for no longer than a list', async () => {
    const each = setUp({ listTtlSeconds: 10 });
    await each.load(absent);
    each.clock.advance(10_000);
    expect(await isCached(each)).toBe(false);
  });

  test.each([
    { maxAgeMs: 100, isServed: true },
    { maxAgeMs: 99, isServed: false },
    { maxAgeMs: 0, isServed: false },
  ])('100 ms old is served to one who takes $maxAgeMs ms: $isServed', async ({ maxAgeMs, isServed }) => {
    const each = setUp();
    await each.load(list('a'));
    each.clock.advance(100);
    expect(await isCached(each, query('u:1', { maxAgeMs }))).toBe(isServed);
  });

  test('from before the erasure of its user is not served, from that moment on it is', async () => {
    const each = setUp();
    const readAtMs = each.clock.now();
    await each.load(list('a'));
    await each.load(list('b'), query('u:2'));
    each.clock.advance(100);
    each.erase('u:1', readAtMs);
    expect(await isCached(each)).toBe(true);
    each.erase('u:1', readAtMs + 1);
    expect(await isCached(each, query('u:2'))).toBe(true);
    expect(await isCached(each)).toBe(false);
    expect(await isCached(each)).toBe(true);
  });

  test('is the same for one who wants it expanded', async () => {
    const each = setUp();
    await each.load(list('a'), query('u:1', { expand: 'items' }));
    expect(await isCached(each)).toBe(true);
  });

  test('is not there after a failure: the next one asks again', async () => {
    const each = setUp();
    expect(await each.load(failure)).toEqual([failure]);
    expect(await isCached(each)).toBe(false);
  });
});

describe('what is not in memory', () => {
  test('is loaded in one call for all keys of a request, and answered in their order', async () => {
    const { calls, guarded, load, read } = setUp();
    await load(list('a'), query('u:2'));
    const reading = read(query('u:1'), query('u:2'), query('u:3'));
    await settle();
    expect(calls[1]).toMatchObject({ users: ['u:1', 'u:3'], timeoutMs: TIMEOUT_MS / 2 });
    expect(guarded[1]).toMatchObject({ isBackground: false, weight: 2, timeoutMs: TIMEOUT_MS });
    calls[1]?.answer(list('b'));
    expect((await reading).map((each) => each.kind === 'list' && each.digest)).toEqual(['b', 'a', 'b']);
  });

  test('and asked for twice in a request is loaded once', async () => {
    const { calls, read } = setUp();
    const reading = read(query(), query());
    await settle();
    expect(calls.map(({ users }) => users)).toEqual([['u:1']]);
    calls[0]?.answer(list('a'));
    expect(await reading).toEqual([list('a'), list('a')]);
  });

  test('and nobody waits for is let in by the guard apart from what somebody does', async () => {
    const { calls, guarded, read, shedIf } = setUp();
    shedIf((isBackground) => isBackground);
    const reading = read(query('u:1'), query('u:2', { isBackground: true }), query('u:3'));
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
    expect(await read(query('u:1'), query('u:2'))).toEqual(Array(2).fill({ kind: 'error', code: 'overloaded' }));
    shedIf(() => false);
    const reading = read(query());
    await settle();
    calls[0]?.reject(new Error('a bug'));
    expect(await reading).toEqual([{ kind: 'error', code: 'internal' }]);
  });
});
