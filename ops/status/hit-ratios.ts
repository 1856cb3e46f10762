// Hits and lookups of each tier, from counters.
import type { CounterName } from '../../shared/runtime/counters.ts';
import type { OriginFigures } from './origin-figures.ts';

export interface TierHits {
  readonly tier: 'isolate' | 'colo' | 'region' | 'origin';
  readonly hits: number;
  readonly asked: number;
}

/**
 * The worker's isolate, the region objects in it, and all origins together. A follower has asked no tier beyond the
 * isolate.
 */
export function computeHits(
  counters: Readonly<Record<CounterName, number>>,
  origins: readonly Pick<OriginFigures, 'metrics'>[],
): TierHits[] {
  const isolate = counters.edge_isolate_hits_total;
  const beyond = counters.edge_reads_total - isolate - counters.edge_collapsed_total;
  const sum = (name: CounterName): number =>
    origins.reduce((total, { metrics }) => total + (metrics[`earshot_${name}`] ?? 0), 0);
  return [
    { tier: 'isolate', hits: isolate, asked: counters.edge_reads_total },
    { tier: 'colo', hits: counters.edge_colo_hits_total, asked: Math.max(0, beyond) },
    { tier: 'region', hits: counters.region_hits_total, asked: counters.region_reads_total },
    { tier: 'origin', hits: sum('origin_memory_hits_total'), asked: sum('origin_reads_total') },
  ];
}
