// Repeats among the exposures of many hours: those of a token's lifetime are dropped, and older ids are forgotten.
import { expect, test } from 'vitest';
import { dropRepeats } from '../../../../ops/exposures/drop-repeats.ts';
import type { ArchivedExposure } from '../../../../shared/domain/experiments/archive.ts';

const HOUR_MS = 3_600_000;

async function remaining(...reports: [id: string, hour: number][]): Promise<string[]> {
  async function* exposures() {
    for (const [id, hour] of reports) yield { id, atMs: hour * HOUR_MS } as ArchivedExposure;
  }
  const kept: string[] = [];
  for await (const { id, atMs } of dropRepeats(exposures())) kept.push(`${id}@${atMs / HOUR_MS}`);
  return kept;
}

test('a repeat is dropped in the same hour and up to 25 hours later', async () => {
  expect(await remaining(['a', 0], ['b', 0], ['a', 0], ['a', 1.5], ['b', 25.9], ['c', 25.9])).toEqual([
    ...['a@0', 'b@0', 'c@25.9'],
  ]);
});

test('no id is kept for longer, which no token outlives', async () => {
  expect(await remaining(['a', 0], ['b', 1], ['a', 26], ['b', 26])).toEqual(['a@0', 'b@1', 'a@26']);
});
