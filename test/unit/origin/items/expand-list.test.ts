import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expandList, idsOf } from '../../../../origin/items/expand-list.ts';
import { cutList, encodeItem, ITEM_SEPARATOR } from '../../../../shared/domain/list.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (list: Uint8Array): string => Buffer.from(list).toString();
const parse = (list: Uint8Array): Record<string, unknown>[] => JSON.parse(`[${text(list)}]`);

const idArb = fc.stringMatching(/^[A-Za-z0-9._:@-][A-Za-z0-9._~:@-]{0,30}$/);
const scoreArb = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((score) => JSON.stringify(score)),
  fc.constantFrom('1.0', '1e3', '-0.50', '0'),
);
/** Items with distinct ids, some with metadata. One line each, as the item reader stores them. */
const itemsArb = fc.uniqueArray(
  fc.record({
    id: idArb,
    score: scoreArb,
    metadata: fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined }),
  }),
  { selector: ({ id }) => id, maxLength: 100 },
);
type Items = typeof itemsArb extends fc.Arbitrary<infer T> ? T : never;

const listOf = (items: Items) => bytes(items.map(({ id, score }) => encodeItem(id, score)).join(ITEM_SEPARATOR));

function expand(items: Items): Uint8Array {
  const known = new Map(items.map(({ id, metadata }) => [id, metadata]));
  return expandList(listOf(items), (id) => {
    const metadata = known.get(id);
    return metadata === undefined ? undefined : bytes(JSON.stringify(metadata));
  });
}

describe('an expanded list', () => {
  test('is, parsed, the parsed list with what is known of each item in it', () => {
    fc.assert(
      fc.property(itemsArb, (items) => {
        const parsed = parse(listOf(items));
        const wanted = items.map(({ metadata }, i) =>
          metadata === undefined ? parsed[i] : { ...parsed[i], metadata: JSON.parse(JSON.stringify(metadata)) },
        );
        expect(parse(expand(items))).toEqual(wanted);
      }),
    );
  });

  test('has one item a line still, so that its first n are cut from it as from the list', () => {
    fc.assert(
      fc.property(itemsArb, fc.integer({ min: 1, max: 100 }), (items, limit) => {
        expect(text(cutList(expand(items), limit))).toBe(text(expand(items.slice(0, limit))));
      }),
    );
  });

  test('has the bytes of the list where nothing is known of its items', () => {
    fc.assert(
      fc.property(itemsArb, (items) => {
        const list = listOf(items);
        expect(text(expandList(list, () => undefined))).toBe(text(list));
      }),
    );
  });

  test('keeps the score as it is written, and names the metadata last', () => {
    const list = bytes('{"id":"a","score":1.0},\n{"id":"b","score":1e3}');
    const expanded = expandList(list, (id) => (id === 'a' ? bytes('{"name":"é"}') : undefined));
    expect(text(expanded)).toBe('{"id":"a","score":1.0,"metadata":{"name":"é"}},\n{"id":"b","score":1e3}');
  });

  test('holds lines that are not in the stored form as they are', () => {
    const list = '{"score":1},\n{"id":"a"\n,\n{"id":"b,\nx,\n{"id":"c","score":1}';
    const expanded = expandList(bytes(list), () => bytes('{}'));
    expect(text(expanded)).toBe(list.replace('{"id":"c","score":1}', '{"id":"c","score":1,"metadata":{}}'));
  });

  test('is made from a view of larger memory without a byte from beside it', () => {
    const whole = bytes('xx{"id":"a","score":1}yy');
    expect(text(expandList(whole.subarray(2, whole.length - 2), () => bytes('{}')))).toBe(
      '{"id":"a","score":1,"metadata":{}}',
    );
  });
});

test('the ids of a list are those of its items, in order', () => {
  fc.assert(
    fc.property(itemsArb, (items) => {
      expect(idsOf(listOf(items))).toEqual(items.map(({ id }) => id));
    }),
  );
});
