import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isLoadableUser, isName, PUBLIC_ID_PATTERN, toName, toUserId } from '../../../../shared/domain/ids.ts';
import { makeCacheKey, makeInitialSplits, makeLoadRowKey, makeRowKey } from '../../../../shared/domain/keys.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/).map(toName);
const id = fc.stringMatching(/^[A-Za-z0-9._:@|+-][A-Za-z0-9._~:@|+-]{0,127}$/).map(toUserId);
const generation = fc.integer({ min: 1, max: 253_402_300_799_999 });
const key = fc.record(
  { surface: name, variant: name, generation, user: id, expand: fc.constant('items' as const) },
  { requiredKeys: ['surface', 'variant', 'generation', 'user'] },
);

describe('ids', () => {
  test.each(['a', 'lastfm:2', 'A.b_c~d:e@f-g', 'x'.repeat(128)])('%s is an id', (text) => {
    expect(PUBLIC_ID_PATTERN.test(text)).toBe(true);
  });

  test.each(['', '#', 'a#b', 'a/b', 'a b', 'a\n', 'é', '%2F', 'x'.repeat(129), '~popular', '"'])(
    '%j is no public id',
    (text) => {
      expect(PUBLIC_ID_PATTERN.test(text)).toBe(false);
    },
  );

  test('~popular is the only pseudo-user that rows are written for', () => {
    expect(isLoadableUser('~popular')).toBe(true);
    expect(isLoadableUser('~other')).toBe(false);
  });

  test.each(['', 'Home', '1home', '-home', 'home/x', 'h'.repeat(33)])('%j is no surface', (text) => {
    expect(isName(text)).toBe(false);
  });
});

describe('keys', () => {
  test('two different lists never share a cache key', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        const isSame = JSON.stringify(a) === JSON.stringify(b);
        expect(makeCacheKey(a) === makeCacheKey(b)).toBe(isSame);
      }),
    );
  });

  test('a row key is 4 hex digits and the id', () => {
    fc.assert(
      fc.property(id, (text) => {
        const [prefix, rest] = [makeRowKey(text).slice(0, 5), makeRowKey(text).slice(5)];
        expect(prefix).toMatch(/^[0-9a-f]{4}#$/);
        expect(rest).toBe(text);
      }),
    );
  });

  test('load receipts sort in the order of their generations', () => {
    fc.assert(
      fc.property(generation, generation, (a, b) => {
        const [first, second] = [
          makeLoadRowKey(toName('home'), toName('control'), a),
          makeLoadRowKey(toName('home'), toName('control'), b),
        ];
        expect(Math.sign(a - b)).toBe(first === second ? 0 : first < second ? -1 : 1);
      }),
    );
  });

  test('initial splits cut the hash space evenly', () => {
    expect(makeInitialSplits(4)).toEqual(['4000', '8000', 'c000']);
    expect(makeInitialSplits(1)).toEqual([]);
  });
});
