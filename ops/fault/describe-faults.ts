// The faults of the local cloud in the command's output, one line per part.
import { formatShare, formatTable } from '../cli/format.ts';
import type { ClusterFault, FaultState, Replication } from './local-faults.ts';
import type { RegionFault } from './region-fault.ts';

/** Several lines, each with a newline. */
export function describeFaults({ regions, bigtable }: FaultState): string {
  const rows = Object.entries(regions).map(([name, fault]) => [name, describeFault(fault)]);
  if (bigtable === undefined) return formatTable([...rows, ['bigtable', 'not the embedded one: no faults']]);
  const clusters = Object.entries(bigtable.clusters).map(([region, fault]) => [
    `bigtable/${region}`,
    describeFault(fault),
  ]);
  return formatTable([...rows, ...clusters, ['replication', describeReplication(bigtable.replication)]]);
}

function describeFault(fault: RegionFault & ClusterFault): string {
  const { down, blackHole, reset, latencyMs, latencyShare, jitterMs, errorShare, dripBytesPerSecond, rowsPerSecond } =
    fault;
  const parts = [
    down && 'down',
    blackHole && 'black hole',
    reset && 'resets connections',
    latencyMs && `latency ${latencyMs} ms`,
    jitterMs && `jitter up to ${jitterMs} ms`,
    latencyShare !== undefined && `both for ${formatShare(latencyShare, 1)}`,
    errorShare && `errors ${formatShare(errorShare, 1)}`,
    dripBytesPerSecond && `drip ${dripBytesPerSecond} B/s`,
    rowsPerSecond && `at most ${rowsPerSecond} rows/s`,
  ].filter((part): part is string => typeof part === 'string');
  return parts.length === 0 ? 'no fault' : parts.join(', ');
}

const describeReplication = ({ lagMs, stopped }: Replication): string =>
  [`lag ${lagMs} ms`, ...(stopped.length === 0 ? [] : [`${stopped.join(', ')} cut off`])].join(', ');
