// Counts the ReadRows calls on one table.
import type { Counters } from '../../shared/runtime/counters.ts';
import { grpcCodeOf } from '../bigtable/bigtable-error.ts';
import type { CallObserver } from '../bigtable/reads/call-observer.ts';
import type { Metrics } from './metrics.ts';

export const observeCalls = (table: string, counters: Counters, metrics: Metrics): CallObserver => ({
  onCall: (keys) => {
    counters.add('origin_bigtable_calls_total');
    counters.add('origin_bigtable_keys_total', keys);
  },
  onCallEnd: ({ keys, latencyMs, error }) => {
    if (error !== undefined) counters.add('origin_bigtable_failures_total');
    const code = grpcCodeOf(error?.cause);
    metrics.observeCall({
      table,
      keys,
      seconds: latencyMs / 1000,
      outcome: error === undefined ? 'ok' : error.code === 'deadline_exceeded' ? 'deadline' : 'error',
      ...(code === undefined ? {} : { code }),
    });
  },
  onRetry: () => counters.add('origin_retries_total'),
  onFailover: (keys) => counters.add('origin_failover_keys_total', keys),
  onHedge: metrics.hedge,
});
