// The published hit ratios, reproduced by the deployed tier: it evicts like an LRU at its stated size.
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
  test('read the row of a user once, for any isolates and any concurrency', async () => {
    const keys = new Set<number>();
    for await (const part of readTrace(realData('traces/web07.trace.xz'))) for (const key of part) keys.add(key);
    const { reads, regionReads, rows, originCalls } = await replayRegion(TRACES.web07);
    expect(reads).toBe(76_118);
    expect(rows).toBe(keys.size);
    expect(regionReads).toBeGreaterThan(rows);
    expect(originCalls).toBeLessThan(rows);
  });
});

// Repeated as literals: the test above would accept any figure that the benchmark calls published.
test('the published ratios are those in the README of the real inputs', () => {
  expect(Object.values(TRACES)).toEqual([
    { name: 'orm-busy', published: { entries: 4096, hitPercent: 84.56 } },
    { name: 'web07', published: { entries: 16_384, hitPercent: 72.45 } },
  ]);
});
