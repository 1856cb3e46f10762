import { expect, test } from 'vitest';
import { sumMetrics } from '../../../../ops/status/origin-figures.ts';

test('metrics are summed over their labels, and other lines are ignored', () => {
  const text = `# HELP earshot_origin_shed_total reads that were not started
# TYPE earshot_origin_shed_total counter
earshot_origin_shed_total{reason="queue_full",priority="normal",region="asia"} 2
earshot_origin_shed_total{reason="no_cpu",priority="background",region="asia"} 3
earshot_origin_reads_total{region="asia"} 40
up 1
earshot_origin_read_seconds_sum{region="asia"} 1.5e-3
`;
  expect(sumMetrics(text)).toEqual({
    earshot_origin_shed_total: 5,
    earshot_origin_reads_total: 40,
    up: 1,
    earshot_origin_read_seconds_sum: 0.0015,
  });
});
