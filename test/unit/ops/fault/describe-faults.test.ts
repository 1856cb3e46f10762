import { expect, test } from 'vitest';
import { describeFaults } from '../../../../ops/fault/describe-faults.ts';

test('each fault has a line, and a part without fault injection says so', () => {
  const regions = {
    asia: {},
    europe: { latencyMs: 500, latencyShare: 0.01, jitterMs: 50, errorShare: 0.1, dripBytesPerSecond: 100 },
    us: { down: true },
  };
  expect(describeFaults({ regions, bigtable: undefined })).toBe(`asia      no fault
europe    latency 500 ms, jitter up to 50 ms, both for 1.0 %, errors 10.0 %, drip 100 B/s
us        down
bigtable  not the embedded one: no faults
`);
  const bigtable = {
    clusters: { asia: { blackHole: true }, europe: {}, us: { latencyMs: 5, rowsPerSecond: 5000 } },
    replication: { lagMs: 50, initialLagMs: 50, stopped: ['europe', 'us'] },
  };
  expect(describeFaults({ regions: { asia: { reset: true } }, bigtable })).toBe(`asia             resets connections
bigtable/asia    black hole
bigtable/europe  no fault
bigtable/us      latency 5 ms, at most 5000 rows/s
replication      lag 50 ms, europe, us cut off
`);
});
