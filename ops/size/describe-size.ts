// A size in the command's output.
import { formatCount, formatDuration, formatTable } from '../cli/format.ts';
import { SECONDS_IN_MONTH } from './figures.ts';
import type { Cost, Prices } from './prices.ts';
import type { Size, Workload } from './sizing.ts';

/** Several lines, each with a newline. */
export function describeSize({ readsPerSecond, edgeHits, rowsPerRead }: Workload, size: Size): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return [
    `${formatCount(readsPerSecond)} reads/s at the peak: ${percent(edgeHits)} are answered near the listener, ${percent(rowsPerRead)} read Bigtable\n`,
    `workers: ${size.workerCpus.toFixed(1)} CPUs, as much as ${formatCount(size.isolates)} isolates that are half busy\n`,
    `REGION_SHARDS: ${size.objects}\n`,
    `each cluster: ${formatBytes(size.storedBytes)} before compression\n`,
    `a day's load: ${formatCount(size.loadRows)} rows/s; one loader needs ${formatDuration(size.loaderHours * 3_600_000)}\n`,
    formatTable([
      ['region', 'reads/s at objects', 'at origins, one region gone', 'origins', 'nodes', 'for'],
      ...size.regions.map(({ name, objectReads, originReads, origins, nodes, nodesFor }) => [
        name,
        ...[objectReads, originReads, origins, nodes].map(formatCount),
        nodesFor,
      ]),
    ]),
  ].join('');
}

/** Several lines, each with a newline. */
export function describeCosts({ readsPerSecond, meanShare }: Workload, costs: readonly Cost[], prices: Prices): string {
  const { currency, date, source } = prices;
  const month = costs.reduce((sum, cost) => sum + cost.month, 0);
  const millions = (readsPerSecond * meanShare * SECONDS_IN_MONTH) / 1e6;
  return [
    formatTable([
      ['part', `${currency} a month`],
      ...costs.map((cost) => [cost.name, formatCount(cost.month)]),
      ['all', formatCount(month)],
    ]),
    `${formatCount(millions)} million reads a month: ${(month / millions).toFixed(3)} ${currency} a million\n`,
    `prices of ${date}: ${source}\n`,
  ].join('');
}

function formatBytes(bytes: number): string {
  if (bytes < 1e12) return `${(bytes / 1e9).toFixed(1)} GB`;
  return `${(bytes / 1e12).toFixed(1)} TB`;
}
