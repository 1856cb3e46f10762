// The state of the local cloud in the command's output: the regions, the tiers, and the origins.
import type {
  CallerStatus,
  EdgeStatus,
  ManifestStatus,
  RegionStatus,
  ShadowStatus,
} from '../../shared/wire/edge-status.ts';
import { formatCount, formatDuration, formatPlural, formatShare, formatTable } from '../cli/format.ts';
import type { TierHits } from './hit-ratios.ts';
import type { CloudStatus } from './local-status.ts';
import type { OriginFigures } from './origin-figures.ts';
import type { PartStatus } from './part-status.ts';

/** Several lines, each with a newline. */
export function describeStatus({ edge, tiers, origins, parts }: CloudStatus): string {
  const figures = [
    ['origin', 'ready', 'manifest', ...ORIGIN_COLUMNS.map(({ title }) => title)],
    ...origins.map(({ name, readiness, metrics }) => [
      name,
      readiness,
      describeOriginManifest(metrics),
      ...ORIGIN_COLUMNS.map(({ metric }) => formatMetric(metrics, metric)),
    ]),
  ];
  const refused = origins.filter(({ metrics }) => (metrics.earshot_origin_manifest_failed_polls ?? 0) > 0);
  const trouble = `manifest trouble at the origin in ${refused.map(({ name }) => name).join(', ')}: look at \`npx earshot manifest show\`\n`;
  return [
    ...(refused.length === 0 ? [] : [trouble]),
    ...describeReleases(origins),
    edge === undefined ? 'the worker is starting\n' : describeEdge(edge, tiers),
    formatTable(figures),
    formatTable([['part', 'state', 'process', 'restarts', 'latest end'], ...parts.map(describePart)]),
  ].join('\n');
}

/** Every origin reads the same rows, so the one that knows most is shown. */
function describeReleases(origins: readonly OriginFigures[]): string[] {
  const [newest] = origins.toSorted((a, b) => b.releases.length - a.releases.length);
  const degraded = [...new Set(origins.flatMap((origin) => origin.degraded))];
  return [
    ...(newest?.releases ?? []).map(
      ({ release, step, stalledSeconds }) =>
        `publication of ${release}: step ${step}${stalledSeconds === 0 ? '' : `, has stood still for ${formatDuration(stalledSeconds * 1000)}`}\n`,
    ),
    ...degraded.map((name) => `region ${name} is marked as degraded\n`),
  ];
}

function describeEdge(
  { regions, manifest, budget, callers = [], shadow }: EdgeStatus,
  tiers: readonly TierHits[],
): string {
  const { tokens, reserve } = budget;
  const columns = ['region', 'state', 'round trip', '', 'p95', 'calls', 'failed', 'ejections'];
  const hits = tiers.map(({ tier, hits: found, asked }) => [tier, formatShare(found, asked), formatCount(asked)]);
  return [
    formatTable([columns, ...regions.map(describeRegion)]),
    `manifest: ${describeManifest(manifest)}\n${describeEffects(manifest)}${describeShadow(shadow)}`,
    `retry budget: ${formatCount(tokens)} of ${formatCount(reserve)} attempts\n`,
    formatTable([['tier', 'hits', 'of'], ...hits]),
    ...(callers.length === 0 ? [] : [formatTable([CALLER_COLUMNS, ...callers.map(describeCaller)])]),
  ].join('\n');
}

const CALLER_COLUMNS = ['callers', 'reads', 'at origins', 'bytes', 'refused'];

const describeCaller = ({ service, reads, originReads, bytes, refused }: CallerStatus): string[] => [
  service,
  ...[reads, originReads, bytes, refused].map(formatCount),
];

const describePart = ({ name, state, pid, restarts, lastEnd }: PartStatus): string[] => [
  name,
  state,
  pid === undefined ? '-' : String(pid),
  formatCount(restarts),
  lastEnd === undefined ? '-' : `${new Date(lastEnd.atMs).toISOString()} (${lastEnd.reason})`,
];

/** The answers of the regions are shown if they are a reason for trouble. */
function describeManifest({ state, version, confirmedForMs = 0, regions }: ManifestStatus): string {
  const answers = regions.map(({ name, answer }) => `${name} ${answer}`).join(', ');
  if (state === 'unread') return 'not read yet';
  if (state === 'none') return `none, so no list can be served (${answers})`;
  const confirmed = `version ${version}, confirmed ${formatDuration(confirmedForMs)} ago`;
  return state === 'live' ? confirmed : `${confirmed}, and not since (${answers})`;
}

/** Switches, erasures and blocked items; empty if there are none. */
function describeEffects({ effects }: ManifestStatus): string {
  const { switches = [], erasures = 0, blockedItems = 0 } = effects ?? {};
  return [
    ...(switches.length === 0 ? [] : [`switches: ${switches.join(', ')}\n`]),
    ...(erasures === 0 ? [] : [`erased: ${formatPlural(erasures, 'user')}\n`]),
    ...(blockedItems === 0 ? [] : [`blocked: ${formatPlural(blockedItems, 'item')}\n`]),
  ].join('');
}

function describeShadow(shadow: ShadowStatus | undefined): string {
  if (shadow === undefined || shadow.reads === 0) return '';
  const differences = shadow.differences.map(({ tier, kind, count }) => `${tier} ${kind} ${formatCount(count)}`);
  return `shadow: ${formatPlural(shadow.reads, 'answer')} of caches compared with Bigtable, ${differences.join(', ') || 'no difference'}\n`;
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

/** The served version, and whether the row gives no newer one. `earshot manifest show` tells the reason. */
function describeOriginManifest(metrics: OriginFigures['metrics']): string {
  const version = metrics.earshot_origin_manifest_version;
  if (version === undefined) return '-';
  const failed = metrics.earshot_origin_manifest_failed_polls ?? 0;
  return failed === 0 ? formatCount(version) : `${formatCount(version)}, row refused ${formatCount(failed)} times`;
}

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
