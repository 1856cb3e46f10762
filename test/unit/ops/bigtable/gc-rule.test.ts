import { expect, test } from 'vitest';
import { describeGcRule, isSameRule, keepNewest } from '../../../../ops/bigtable/schema/gc-rule.ts';

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
