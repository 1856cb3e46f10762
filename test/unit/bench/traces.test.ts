// The published hit ratios, from the tier that is deployed: it evicts as an LRU does, at the size it says.
import { expect, test } from 'vitest';
import { hitPercent, replayAlone, TRACES } from '../../../bench/traces.ts';
import { describeWithRealData } from '../../support/real-data.ts';

const TIMEOUT_MS = 60_000;

describeWithRealData('the isolate tier under real requests', 'traces', () => {
  test.each(Object.values(TRACES))(
    'has the published hit ratio of $name, to 0.01 points',
    {
      timeout: TIMEOUT_MS,
    },
    async (trace) => {
      expect(hitPercent(await replayAlone(trace)).toFixed(2)).toBe(trace.published.hitPercent.toFixed(2));
    },
  );
});

// Written out once more: the test above would agree with any figure that the bench takes for the published one.
test('the published ratios are those in the README of the real inputs', () => {
  expect(Object.values(TRACES)).toEqual([
    { name: 'orm-busy', published: { entries: 4096, hitPercent: 84.56 } },
    { name: 'web07', published: { entries: 16_384, hitPercent: 72.45 } },
  ]);
});
