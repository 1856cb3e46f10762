// The published hit ratios, from the tier that is deployed: it evicts as an LRU does, at the size it says.
import { expect, test } from 'vitest';
import { realData } from '../../../bench/support/real-data.ts';
import { readTrace } from '../../../bench/support/trace.ts';
import { hitPercent, replayAlone, replayRegion, TRACES } from '../../../bench/traces.ts';
import { describeWithRealData } from '../../support/real-data.ts';

describeWithRealData('the isolate tier under real requests', 'traces', () => {
  test.each(Object.values(TRACES))('has the published hit ratio of $name, to 0.01 points', async (trace) => {
    expect(hitPercent(await replayAlone(trace)).toFixed(2)).toBe(trace.published.hitPercent.toFixed(2));
  });
});

describeWithRealData('the tiers of a region under real requests', 'traces', () => {
  test('read the row of a user once, whichever isolates are asked and however many at once', async () => {
    const keys = new Set<number>();
    for await (const part of readTrace(realData('traces/web07.trace.xz'))) for (const key of part) keys.add(key);
    const { reads, regionReads, rows, originCalls } = await replayRegion(TRACES.web07);
    expect(reads).toBe(76_118);
    expect(rows).toBe(keys.size);
    expect(regionReads).toBeGreaterThan(rows);
    expect(originCalls).toBeLessThan(rows);
  });
});

// Written out once more: the test above would agree with any figure that the bench takes for the published one.
test('the published ratios are those in the README of the real inputs', () => {
  expect(Object.values(TRACES)).toEqual([
    { name: 'orm-busy', published: { entries: 4096, hitPercent: 84.56 } },
    { name: 'web07', published: { entries: 16_384, hitPercent: 72.45 } },
  ]);
});
