// Expanded lists: the inserted items, and the age of the answer.

import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { makeDigest } from '../../../../origin/bigtable/stored-values.ts';
import { createExpandLists } from '../../../../origin/items/expanded-lists.ts';
import type { Item } from '../../../../origin/items/item-reader.ts';
import { ITEM_TTL_MS } from '../../../../shared/caching/lifetime.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../../../shared/domain/list.ts';
import type { ListQuery } from '../../../../shared/wire/read-request.ts';
import type { ListResult } from '../../../../shared/wire/read-response.ts';

const plain: ListQuery = { surface: toName('home'), variant: toName('control'), generation: 1, user: toUserId('u:1') };
const expanded: ListQuery = { ...plain, expand: 'items' };

function listOf(...ids: string[]): Extract<ListResult, { kind: 'list' }> {
  const bytes = Buffer.from(ids.map((id) => encodeItem(id, '1.0')).join(ITEM_SEPARATOR));
  return { kind: 'list', bytes, generation: 1, digest: makeDigest(bytes) };
}

/** `known`: each item's age and JSON. Without JSON the item does not exist. */
function setUp(known: Record<string, { ageMs: number; json?: string }>) {
  const clock = createManualClock();
  const asked: string[][] = [];
  const items = {
    bytes: 0,
    entries: 0,
    read: async (ids: Iterable<string>): Promise<ReadonlyMap<string, Item>> => {
      asked.push([...ids]);
      return new Map(
        Object.entries(known).map(([id, { ageMs, json }]) => [
          id,
          { storedAtMs: clock.now() - ageMs, json: json === undefined ? undefined : Buffer.from(json) },
        ]),
      );
    },
  };
  const expandLists = createExpandLists({ items, clock });
  const expand = async (...results: ListResult[]) => {
    const all = await expandLists(
      results.map(() => expanded),
      results,
      100,
    );
    return all.map((each) => ({
      ...each,
      ...(each.kind === 'list' ? { bytes: Buffer.from(each.bytes).toString() } : {}),
    }));
  };
  return { asked, expand, expandLists };
}

const AB = '{"id":"a","score":1.0,"metadata":{"n":1}},\n{"id":"b","score":1.0,"metadata":{"n":2}}';

describe('an expanded list', () => {
  test('beyond the bound of an answer is an error and is not composed; the smaller ones are whole', async () => {
    const large = JSON.stringify({ n: 'x'.repeat(1_500_000) });
    const { expand } = setUp({ a: { ageMs: 0, json: large }, b: { ageMs: 0, json: '{"n":2}' } });
    const results = await expand(listOf('a', 'a'), listOf('b'), listOf('a', 'a'), listOf('a'));
    const outcomes = results.map((each) => (each.kind === 'error' ? each.code : each.kind));
    expect(outcomes).toEqual(['answer_too_large', 'list', 'answer_too_large', 'list']);
    expect(await expand(listOf('a', 'a', 'a', 'a'))).toMatchObject([{ kind: 'list' }]);
  });

  test('has what is known of its items, a digest of its own, and the age of the oldest item', async () => {
    const { expand } = setUp({ a: { ageMs: 10, json: '{"n":1}' }, b: { ageMs: 30, json: '{"n":2}' } });
    const list = { ...listOf('a', 'b'), ageMs: 5 };
    expect(await expand(list)).toEqual([
      { kind: 'list', generation: 1, bytes: AB, digest: makeDigest(Buffer.from(AB)), ageMs: 5, itemsAgeMs: 30 },
    ]);
  });

  test('whose items were all read for it says no age of them', async () => {
    const { expand } = setUp({ a: { ageMs: 0, json: '{"n":1}' }, b: { ageMs: 0, json: '{"n":2}' } });
    expect((await expand(listOf('a', 'b')))[0]).not.toHaveProperty('itemsAgeMs');
  });

  test('counts the age of the knowledge that an item is not there', async () => {
    const { expand } = setUp({ a: { ageMs: 10, json: '{"n":1}' }, b: { ageMs: 20 } });
    const [list] = await expand(listOf('a', 'b'));
    expect(list).toMatchObject({ itemsAgeMs: 20, bytes: expect.stringContaining('{"id":"b","score":1.0}') });
  });

  test('of which an item could not be read is at the end of its time, and has the others', async () => {
    const { expand } = setUp({ a: { ageMs: 0, json: '{"n":1}' } });
    expect(await expand(listOf('a', 'b'))).toMatchObject([
      { itemsAgeMs: ITEM_TTL_MS, bytes: '{"id":"a","score":1.0,"metadata":{"n":1}},\n{"id":"b","score":1.0}' },
    ]);
  });

  test('with an item older than its time says no more than all of it', async () => {
    const { expand } = setUp({ a: { ageMs: ITEM_TTL_MS * 3, json: '{"n":1}' } });
    expect(await expand(listOf('a'))).toMatchObject([{ itemsAgeMs: ITEM_TTL_MS }]);
  });

  test('without items is empty, and as fresh as it is', async () => {
    const { expand } = setUp({});
    const [list] = await expand(listOf());
    expect(list).toMatchObject({ kind: 'list', bytes: '' });
    expect(list).not.toHaveProperty('itemsAgeMs');
  });
});

test('items of all lists of a request are read at once; lists that were asked for alone, absent or failed are as they were', async () => {
  const { asked, expandLists } = setUp({ a: { ageMs: 0, json: '{}' } });
  const results: ListResult[] = [
    listOf('a'),
    listOf('b'),
    { kind: 'absent', ageMs: 3 },
    { kind: 'error', code: 'unavailable' },
    listOf('c'),
  ];
  const all = await expandLists([expanded, plain, expanded, expanded, expanded], results, 100);
  expect(asked).toEqual([['a', 'c']]);
  expect(all.slice(1, 4)).toEqual(results.slice(1, 4));
});

test('a request for lists alone reads no item and gets its results as they are', async () => {
  const { asked, expandLists } = setUp({});
  const results = [listOf('a')];
  expect(await expandLists([plain], results, 100)).toBe(results);
  expect(asked).toEqual([]);
});
