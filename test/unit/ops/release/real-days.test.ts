// The gate's default bounds on two real generations of `home.control`: the change from one day to the next raises no
// alarm, and each fault of the second day is refused.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import type { CheckInput } from '../../../../ops/release/checks/check.ts';
import { runChecks } from '../../../../ops/release/gate/run-checks.ts';
import { describeWithRealData, realData } from '../../../support/real-data.ts';
import { compare, type Day, lengthen, mapLists, type ScoredItem, swapUsers } from './sampled-days.ts';

const FIRST = 'lastfm/gen1/home.control.ndjson.gz';
const SECOND = 'lastfm/gen2/home.control.ndjson.gz';

async function readDay(path: string): Promise<Day> {
  const day = new Map<string, readonly ScoredItem[]>();
  const lines = createInterface({ input: createReadStream(realData(path)).pipe(createGunzip()) });
  for await (const line of lines) {
    const { user, items } = JSON.parse(line) as { user: string; items: ScoredItem[] };
    day.set(user, items);
  }
  return day;
}

const refusedBy = (input: CheckInput): string[] =>
  runChecks(input, { accepted: [] }).rows.flatMap(({ check, verdict }) => (verdict === 'refused' ? [check] : []));

const overlapIn = (input: CheckInput): number | undefined =>
  runChecks(input, { accepted: [] }).rows.find(({ check }) => check === 'overlap')?.new;

describeWithRealData('the gate on real generations', SECOND, () => {
  let days: readonly [Day, Day];

  beforeAll(async () => {
    days = await Promise.all([readDay(FIRST), readDay(SECOND)]);
  });

  test('has the figures that the default bounds were chosen by', () => {
    const [first, second] = days;
    expect(overlapIn(compare(first, second))).toBeCloseTo(0.858, 3);
    expect(overlapIn(compare(first, swapUsers(second)))).toBeCloseTo(0.108, 3);
  });

  test('has no alarm on 20 days in a row', () => {
    const [first, second] = days;
    for (let i = 0; i < 20; i++) {
      const [live, next] = i % 2 === 0 ? [first, second] : [second, first];
      expect([i, refusedBy(compare(live, next))]).toEqual([i, []]);
    }
  });

  test('refuses each bad day', () => {
    const [first, second] = days;
    const reversed = mapLists(second, (items) => {
      const scores = items.map(({ score }) => score).reverse();
      return items.map(({ id }, i) => ({ id, score: scores[i] ?? 0 }));
    });
    const caught = {
      half: refusedBy(
        compare(
          first,
          mapLists(second, (items, i) => (i % 2 === 0 ? items : undefined)),
        ),
      ),
      swapped: refusedBy(compare(first, swapUsers(second))),
      long: refusedBy(compare(first, lengthen(second, 3))),
      yesterday: refusedBy(compare(first, first)),
      truncated: refusedBy(compare(first, second, { differing: { us: 300 } })),
      unknown: refusedBy(
        compare(
          first,
          mapLists(second, (items) => items.map(({ id, score }) => ({ id: `x-${id}`, score }))),
          {
            unknown: (id) => id.startsWith('x-'),
          },
        ),
      ),
      reversed: refusedBy(compare(first, reversed)),
    };
    expect(caught).toEqual({
      half: ['users', 'empty-lists'],
      swapped: ['overlap'],
      long: ['long-lists', 'bytes'],
      yesterday: ['unchanged'],
      truncated: ['clusters'],
      unknown: ['overlap', 'unknown-items'],
      reversed: ['score-order'],
    });
  });
});
