// The bound of an origin's answer in bytes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundResults } from '../../../../shared/wire/bounded-results.ts';
import {
  bytesOfResult,
  decodeListFrames,
  encodeListFrames,
  type ListResult,
  MAX_FRAMES_BYTES,
} from '../../../../shared/wire/read-response.ts';

const list = (bytes: number): ListResult => ({
  kind: 'list',
  bytes: new Uint8Array(bytes),
  generation: 1,
  digest: 'd',
});
const LEFT_OUT: ListResult = { kind: 'error', code: 'answer_too_large' };

test('the largest lists are left out first, and every other result stays in its place', () => {
  const results = [list(900), list(10), { kind: 'absent' } as const, list(500), list(20), LEFT_OUT];
  expect(boundResults(results, 600)).toEqual([LEFT_OUT, list(10), { kind: 'absent' }, list(500), list(20), LEFT_OUT]);
});

test('an answer within the bound is the same', () => {
  const results = [list(300), list(300)];
  expect(boundResults(results, 600)).toBe(results);
});

test('a list that is larger than the bound is in the answer if it is alone', () => {
  expect(boundResults([list(900)], 600)).toEqual([list(900)]);
  expect(boundResults([list(900), list(901)], 600)).toEqual([list(900), LEFT_OUT]);
});

test('whatever the sizes, the answer has at least one list and otherwise stays within the bound', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1_000), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 3_000 }),
      (sizes, max) => {
        const bounded = boundResults(sizes.map(list), max);
        const lists = bounded.filter(({ kind }) => kind === 'list');
        const total = bounded.reduce((bytes, result) => bytes + bytesOfResult(result), 0);
        expect(lists.length).toBeGreaterThan(0);
        if (lists.filter((result) => bytesOfResult(result) > 0).length > 1) expect(total).toBeLessThanOrEqual(max);
      },
    ),
  );
});

test('200 lists of 1.6 MB are less than the edge reads, headers included', () => {
  const frames = encodeListFrames(boundResults(Array.from({ length: 200 }, () => list(1_600_000))));
  expect(frames.length).toBeLessThan(MAX_FRAMES_BYTES);
  const kinds = decodeListFrames(frames, 200).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'list')).toHaveLength(2);
});
