// The erasures that a restored backup lacks: by the references of records, and by the hashes of documents.
import { expect, test } from 'vitest';
import type { StoredErasure } from '../../../ops/effects/erasure-record.ts';
import { joinRecords, makeIsErased } from '../../../ops/recovery/erased-since.ts';
import { userHashOf } from '../../../shared/domain/keys.ts';

const TAKEN = 1_000_000;
const userRef = (user: string): string => `ref of ${user}`;
const recordOf = (user: string, finalMs?: number): StoredErasure => ({
  ...{ id: user, format: 1, state: finalMs === undefined ? ('hidden' as const) : ('done' as const), users: 1 },
  ...{ refs: [userRef(user)], keepOut: false, by: 'a', why: 'b', sinceMs: TAKEN - 60_000, pendingRegions: [] },
  ...(finalMs === undefined ? {} : { finalMs }),
});
const isErased = (records: readonly StoredErasure[], moments: readonly (readonly [string, number | null])[] = []) =>
  makeIsErased({
    ...{ records, takenAtMs: TAKEN, userRef },
    moments: new Map(moments.map(([user, atMs]) => [userHashOf(user), atMs])),
  });

test('a record alone names a user that was erased after the backup', () => {
  expect(isErased([recordOf('ann', TAKEN + 1)])('ann')).toBe(true);
  expect(isErased([recordOf('ann', TAKEN + 1)])('bob')).toBe(false);
});

test('a document alone names one, too', () => {
  expect(isErased([], [['ann', TAKEN + 1]])('ann')).toBe(true);
  expect(isErased([], [['ann', TAKEN + 1]])('bob')).toBe(false);
});

test('an erasure that has not ended counts, in a record and in a document', () => {
  expect(isErased([recordOf('ann')])('ann')).toBe(true);
  expect(isErased([], [['ann', null]])('ann')).toBe(true);
});

test('an erasure that had ended before the backup does not count', () => {
  expect(isErased([recordOf('ann', TAKEN)], [['ann', TAKEN]])('ann')).toBe(false);
});

test('of two states of an erasure the later one counts, in any order', () => {
  const [open, done] = [recordOf('ann'), recordOf('ann', TAKEN - 1)];
  expect(joinRecords([open, done])).toEqual([done]);
  expect(joinRecords([done, open])).toEqual([done]);
  expect(joinRecords([open, recordOf('bob')])).toHaveLength(2);
});
