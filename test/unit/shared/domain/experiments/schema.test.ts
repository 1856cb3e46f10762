// Experiments that a manifest may not have, and the arithmetic of ranges.
import { describe, expect, test } from 'vitest';
import {
  BUCKETS,
  type Experiment,
  experimentsSchema,
  join,
  type Range,
  sizeOf,
  takeFree,
} from '../../../../../shared/domain/experiments/schema.ts';

const valid: Experiment = {
  ...{ surface: 'home', layer: 'one', salt: 'x-1', state: 'running', slots: [[0, 1000]], control: 'control' },
  arms: [
    { variant: 'control', buckets: [[0, 5000]] },
    { variant: 'a', buckets: [[5000, BUCKETS]] },
  ],
};
const reasonOf = (experiments: object): string | undefined =>
  experimentsSchema.safeParse(experiments).error?.issues[0]?.message;

describe('a manifest refuses', () => {
  test.each<[what: string, experiments: object, reason: string]>([
    [
      'overlapping slots',
      { x: valid, y: { ...valid, salt: 'y-1', slots: [[999, 2000]] } },
      'share no slot, got x and y',
    ],
    ['a surface in two layers', { x: valid, y: { ...valid, layer: 'two' } }, 'of home in one layer'],
    ['a control that is no arm', { x: { ...valid, control: 'b' } }, 'expected `control` to be an arm'],
    [
      'two arms of one variant',
      { x: { ...valid, arms: [valid.arms[0], valid.arms[0]] } },
      'arms of different variants',
    ],
    [
      'arms that share a bucket',
      { x: { ...valid, arms: [valid.arms[0], { variant: 'a', buckets: [[4999, 5001]] }] } },
      'expected arms that share no bucket',
    ],
    ['an empty range', { x: { ...valid, slots: [[5, 5]] } }, 'expected a range [from, to) that is not empty'],
    [
      'ranges out of order',
      {
        x: {
          ...valid,
          slots: [
            [5, 7],
            [1, 2],
          ],
        },
      },
      'expected ranges in order',
    ],
  ])('%s', (_what, experiments, reason) => expect(reasonOf(experiments)).toContain(reason));

  test('nothing else: experiments without users may overlap, and an unknown state has none', () => {
    expect(reasonOf({ x: valid, y: { ...valid, state: 'stopped' }, z: { ...valid, state: 'later' } })).toBeUndefined();
  });
});

describe('ranges', () => {
  const taken: readonly Range[] = [
    [0, 10],
    [20, 9990],
  ];

  test('the first free buckets are taken, in parts if need be', () => {
    expect(takeFree(taken, 5)).toEqual([[10, 15]]);
    expect(takeFree(taken, 15)).toEqual([
      [10, 20],
      [9990, 9995],
    ]);
    expect(takeFree(taken, 20)).toEqual([
      [10, 20],
      [9990, BUCKETS],
    ]);
    expect(takeFree(taken, 21)).toBeUndefined();
    expect(takeFree([], BUCKETS)).toEqual([[0, BUCKETS]]);
  });

  test('neighbours are joined, and the size is that of all', () => {
    expect(
      join([
        [5, 7],
        [0, 2],
        [2, 5],
        [9, 10],
      ]),
    ).toEqual([
      [0, 7],
      [9, 10],
    ]);
    expect(sizeOf(taken)).toBe(9980);
  });
});
