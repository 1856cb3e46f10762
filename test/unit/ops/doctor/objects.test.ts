// The doctor's judgement of where region objects are.
import { expect, test } from 'vitest';
import { checkObjects } from '../../../../ops/doctor/checks/objects.ts';
import type { EdgeFacts } from '../../../../ops/doctor/examine.ts';
import type { EdgeStatus, ObjectStatus } from '../../../../shared/wire/edge-status.ts';

const check = (objects: readonly ObjectStatus[] | undefined, edgeUrl = 'https://recs.example.com') =>
  checkObjects({ edgeUrl }, { status: { objects } as EdgeStatus } as EdgeFacts).map(
    ({ state, found }) => `${state}: ${found}`,
  );
const objectOf = (fastestMs: number, km?: number): ObjectStatus => ({
  ...{ object: 'asia/3', region: 'asia', fastestMs },
  ...(km === undefined ? {} : { km }),
});

test.each([
  ['beside the caller', 4, 100],
  ['an ocean away', 190, 10_000],
  ['slow, within the slack', 340, 10_000],
  ['near the data centre of a far caller', 5, 2_400],
])('an object %s is at its place', (_what, fastestMs, km) => {
  expect(check([objectOf(fastestMs, km)])).toEqual([`ok: asia/3 ${fastestMs} ms`]);
});

test.each([
  ['an ocean further than its region', 220, 100],
  ['faster than light to its region', 12, 10_000],
])('an object %s was made at another place', (_what, fastestMs, km) => {
  expect(check([objectOf(fastestMs, km)])).toEqual([
    `failed: asia/3 answers in ${fastestMs} ms at best, over ${km} km to asia: it was made at another place`,
  ]);
});

test('objects without a known distance are not judged', () => {
  const skipped = ['skipped: no object has answered from memory, or no place of the caller is known'];
  expect(check([objectOf(220)])).toEqual(skipped);
  expect(check([])).toEqual(skipped);
  expect(check(undefined)).toEqual(skipped);
});

test('objects of a local cloud are not looked at', () => {
  expect(check([objectOf(220, 100)], 'http://127.0.0.1:8787')).toEqual([]);
});
