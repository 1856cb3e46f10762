// The state of the local cloud in the command's output: the regions, the tiers, and the origins.
import type { ManifestStatus, RegionStatus } from '../../shared/wire/edge-status.ts';
import { formatCount, formatDuration, formatShare, formatTable } from '../cli/format.ts';
import type { CloudStatus } from './local-status.ts';
import type { OriginFigures } from './origin-figures.ts';

/** Several lines, each with a newline. */
export function describeStatus({ edge, tiers, origins }: CloudStatus): string {
  const { tokens, reserve } = edge.budget;
  const regions = [
    ['region', 'state', 'round trip', '', 'p95', 'calls', 'failed', 'ejections'],
    ...edge.regions.map(describeRegion),
  ];
  const hits = [
    ['tier', 'hits', 'of'],
    ...tiers.map(({ tier, hits, asked }) => [tier, formatShare(hits, asked), formatCount(asked)]),
  ];
  const figures = [
    ['origin', 'ready', ...ORIGIN_COLUMNS.map(({ title }) => title)],
    ...origins.map(({ name, readiness, metrics }) => [
      name,
      readiness,
      ...ORIGIN_COLUMNS.map(({ metric }) => formatMetric(metrics, metric)),
    ]),
  ];
  return [
    formatTable(regions),
    `manifest: ${describeManifest(edge.manifest)}\n`,
    `retry budget: ${formatCount(tokens)} of ${formatCount(reserve)} attempts\n`,
    formatTable(hits),
    formatTable(figures),
  ].join('\n');
}

/** The answers of the regions are shown if they are a reason for trouble. */
function describeManifest({ state, version, confirmedForMs = 0, regions }: ManifestStatus): string {
  const answers = regions.map(({ name, answer }) => `${name} ${answer}`).join(', ');
  if (state === 'unread') return 'not read yet';
  if (state === 'none') return `none, so no list can be served (${answers})`;
  const confirmed = `version ${version}, confirmed ${formatDuration(confirmedForMs)} ago`;
  return state === 'live' ? confirmed : `${confirmed}, and not since (${answers})`;
}

const ORIGIN_COLUMNS = [
  { title: 'lists', metric: 'earshot_origin_reads_total' },
  { title: 'from memory', metric: 'earshot_origin_memory_hits_total' },
  { title: 'rows read', metric: 'earshot_origin_bigtable_keys_total' },
  { title: 'failed calls', metric: 'earshot_origin_bigtable_failures_total' },
  { title: 'shed', metric: 'earshot_origin_shed_total' },
] as const;

/** A counter with labels appears with its first event. An origin that did not answer has no counters. */
const formatMetric = (metrics: OriginFigures['metrics'], name: string): string =>
  Object.keys(metrics).length === 0 ? '-' : formatCount(metrics[name] ?? 0);

function describeRegion(region: RegionStatus): string[] {
  const { name, state, roundTripMs, isMeasured, p95Ms, attempts, failures, ejections, ejectedForMs } = region;
  return [
    name,
    state === 'ejected' ? `ejected for ${formatDuration(ejectedForMs)}` : state,
    `${formatCount(roundTripMs)} ms`,
    isMeasured ? 'measured' : 'by distance',
    p95Ms === undefined ? '-' : `${formatCount(p95Ms)} ms`,
    ...[attempts, failures, ejections].map(formatCount),
  ];
}
