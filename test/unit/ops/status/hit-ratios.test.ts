import { expect, test } from 'vitest';
import { computeHits } from '../../../../ops/status/hit-ratios.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';

test("a tier's hit ratio counts its own lookups, the origins' together", () => {
  const counters = createCounters();
  counters.add('edge_reads_total', 100);
  counters.add('edge_isolate_hits_total', 60);
  counters.add('edge_collapsed_total', 10);
  counters.add('edge_colo_hits_total', 12);
  counters.add('region_reads_total', 20);
  counters.add('region_hits_total', 5);
  const origins = [
    { metrics: { earshot_origin_reads_total: 10, earshot_origin_memory_hits_total: 4 } },
    { metrics: {} },
    { metrics: { earshot_origin_reads_total: 5, earshot_origin_memory_hits_total: 1 } },
  ];
  expect(computeHits(counters.snapshot(), origins)).toEqual([
    { tier: 'isolate', hits: 60, asked: 100 },
    { tier: 'colo', hits: 12, asked: 30 },
    { tier: 'region', hits: 5, asked: 20 },
    { tier: 'origin', hits: 5, asked: 15 },
  ]);
});
