// Counts the ReadRows calls on one table. A call is a span of the requests that are recorded.
import type { Counters } from '../../shared/runtime/counters.ts';
import { grpcCodeOf } from '../bigtable/bigtable-error.ts';
import type { CallObserver } from '../bigtable/reads/call-observer.ts';
import type { Metrics } from './metrics.ts';

export const observeCalls = (table: string, counters: Counters, metrics: Metrics): CallObserver => ({
  onCall: ({ keys, route, traces: [first, ...others] }) => {
    counters.add('origin_bigtable_calls_total');
    counters.add('origin_bigtable_keys_total', keys);
    const trace = first?.start(
      'ReadRows',
      { 'earshot.table': table, 'earshot.keys': keys, 'earshot.route': route },
      others,
    );
    return ({ latencyMs, error }) => {
      trace?.end(error);
      if (error !== undefined) counters.add('origin_bigtable_failures_total');
      const code = grpcCodeOf(error?.cause);
      metrics.observeCall({
        table,
        keys,
        seconds: latencyMs / 1000,
        outcome: error === undefined ? 'ok' : error.code === 'deadline_exceeded' ? 'deadline' : 'error',
        ...(code === undefined ? {} : { code }),
      });
    };
  },
  onRetry: () => counters.add('origin_retries_total'),
  onFailover: (keys) => counters.add('origin_failover_keys_total', keys),
  onHedge: metrics.hedge,
});
