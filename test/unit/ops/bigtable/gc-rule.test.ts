import { expect, test } from 'vitest';
import { collectsMore, describeGcRule, isSameRule, keepNewest } from '../../../../ops/bigtable/schema/gc-rule.ts';

/** As Bigtable answers it: numbers of 64 bits as text, and members that are not set as null. */
const answered = {
  maxNumVersions: null,
  maxAge: null,
  union: {
    rules: [
      { maxAge: { seconds: '2592000', nanos: 0 }, union: null, rule: 'maxAge' },
      { maxNumVersions: 6, maxAge: null, rule: 'maxNumVersions' },
    ],
  },
  rule: 'union',
} as const;

test.each([
  ['newest 1 version', keepNewest(1)],
  ['newest 6 versions, none older than 30 days', keepNewest(6, 30)],
  ['newest 1 version, none older than 1 day', keepNewest(1, 1)],
  ['none older than 90 s', { maxAge: { seconds: 90 } }],
  [
    '(newest 2 versions or none older than 3 days)',
    { intersection: { rules: [{ maxNumVersions: 2 }, { maxAge: { seconds: 259_200 } }] } },
  ],
  ['every version', null],
  ['every version', {}],
])('a rule in words: %s', (words, rule) => {
  expect(describeGcRule(rule)).toBe(words);
});

test('a rule is the same in any order of its parts, and in the form of an answer', () => {
  expect(isSameRule(answered as never, keepNewest(6, 30))).toBe(true);
});

test.each([
  ['versions alone', keepNewest(6)],
  ['another number', keepNewest(5, 30)],
  ['another age', keepNewest(6, 29)],
  ['an intersection of the same parts', { intersection: keepNewest(6, 30).union }],
  ['no rule', null],
])('another rule is not: %s', (_what, rule) => {
  expect(isSameRule(rule as never, keepNewest(6, 30))).toBe(false);
});

const both = (versions: number, days: number) => ({ intersection: keepNewest(versions, days).union });
const age = (days: number) => ({ maxAge: { seconds: days * 86_400 } });

test.each([
  ['the same', keepNewest(6, 30), keepNewest(6, 30), false],
  ['the same, as an answer', answered, keepNewest(6, 30), false],
  ['more versions', keepNewest(3, 30), keepNewest(6, 30), false],
  ['fewer versions', keepNewest(6, 30), keepNewest(3, 30), true],
  ['a greater age', keepNewest(6, 30), keepNewest(6, 400), false],
  ['a smaller age', keepNewest(6, 30), keepNewest(6, 29), true],
  ['more versions, and an age', keepNewest(3), keepNewest(6, 30), true],
  ['no age any more', keepNewest(6, 30), keepNewest(6), false],
  ['a rule after none', null, keepNewest(6), true],
  ['none after a rule', keepNewest(6), {}, false],
  ['both instead of any', keepNewest(6, 30), both(6, 30), false],
  ['any instead of both', both(6, 30), keepNewest(6, 30), true],
  ['a stricter part of both', both(6, 30), both(6, 29), true],
  ['both, within one of them', age(30), both(2, 30), false],
  ['one of both alone', both(2, 30), age(30), true],
])('a rule collects more than another, or not: %s', (_what, from, to, expected) => {
  expect(collectsMore(from as never, to as never)).toBe(expected);
});
