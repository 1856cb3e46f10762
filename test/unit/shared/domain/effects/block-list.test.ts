import { expect, test } from 'vitest';
import { makeBlockList, parseBlockList } from '../../../../../shared/domain/effects/block-list.ts';

test('blocked items by time: the same set until one ends', () => {
  const list = makeBlockList([
    ['a', null],
    ['b', 100],
    ['c', 200],
  ]);
  expect([...(list.at(50) ?? [])]).toEqual(['a', 'b', 'c']);
  expect(list.at(99)).toBe(list.at(50));
  expect([...(list.at(100) ?? [])]).toEqual(['a', 'c']);
  expect([...(list.at(200) ?? [])]).toEqual(['a']);
  // A clock that is set back.
  expect([...(list.at(150) ?? [])]).toEqual(['a', 'c']);
  expect([...(list.at(50) ?? [])]).toEqual(['a', 'b', 'c']);
});

test('without an item there is no set', () => {
  expect(makeBlockList([]).at(0)).toBeUndefined();
  expect(makeBlockList([['a', 100]]).at(100)).toBeUndefined();
});

test.each([
  [{}, 'expected at most 10000 blocked items, got undefined'],
  [{ items: Array.from({ length: 10_001 }, () => ['a', null]) }, 'got 10001'],
  [{ items: ['a'] }, 'expected an item id and a moment or null, got "a"'],
  [{ items: [['~a', null]] }, 'expected an item id'],
  [{ items: [['a', -1]] }, 'expected an item id'],
  [{ items: [['a', '2026']] }, 'expected an item id'],
])('%j is refused', (value, message) => {
  expect(() => parseBlockList(value)).toThrow(message);
});
