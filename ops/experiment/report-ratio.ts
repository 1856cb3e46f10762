// `earshot experiment srm`: the report of a sample ratio mismatch. It exits with code 3 for an alarm.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type ArchivedExposure, archivedExposureSchema } from '../../shared/domain/experiments/archive.ts';
import { type ControlFlags, withControl } from '../cli/control.ts';
import { EXIT, ExitError } from '../cli/exit-codes.ts';
import { formatCount, formatTable } from '../cli/format.ts';
import { type ArchiveFlags, findArchive, readArchive } from '../exposures/read-archive.ts';
import { readLive } from '../release/live.ts';
import type { Mismatch } from './ratio-mismatch.ts';
import { checkRatio, type SrmReport } from './srm.ts';

interface Flags extends ControlFlags, ArchiveFlags {
  readonly since?: number;
  readonly file?: string;
  readonly json?: boolean;
}

const DEFAULT_SINCE_MS = 14 * 86_400_000;

export async function reportRatio(name: string, flags: Flags): Promise<void> {
  const { experiments = {} } = await withControl(flags, readLive);
  const experiment = experiments[name];
  if (experiment === undefined) throw new Error(`expected an experiment, got ${name}`);
  const exposures: ArchivedExposure[] = [];
  for await (const exposure of sourceOf(flags)) exposures.push(exposure);
  const report = checkRatio(name, experiment, exposures);
  process.stdout.write(flags.json ? `${JSON.stringify({ experiment: name, ...report })}\n` : describe(report));
  if (report.verdict === 'alarm')
    throw new ExitError(EXIT.refused, `${name} has a sample ratio mismatch: do not read its results`);
}

async function* sourceOf(flags: Flags): AsyncIterable<ArchivedExposure> {
  const { file, since = Date.now() - DEFAULT_SINCE_MS } = flags;
  if (file === undefined) return yield* readArchive(await findArchive(flags), { sinceMs: since, untilMs: Date.now() });
  const seen = new Set<string>();
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file) })) {
    line += 1;
    const parsed = archivedExposureSchema.safeParse(JSON.parse(text));
    if (!parsed.success) throw new Error(`${file}:${line} is no exposure: ${parsed.error.issues[0]?.message}`);
    if (parsed.data.atMs < (flags.since ?? 0) || seen.has(parsed.data.id)) continue;
    seen.add(parsed.data.id);
    yield parsed.data;
  }
}

function describe({ counts, splits, crossovers, causes, notes, ...whole }: SrmReport): string {
  const total = counts.reduce((sum, { share }) => sum + share, 0);
  const arms = counts.map(({ arm, share, users }) => [
    ...[arm, formatCount(users), `${((100 * users) / Math.max(1, whole.users)).toFixed(2)} %`],
    `${((100 * share) / total).toFixed(2)} %`,
  ]);
  const rows = [
    ['all', '', ...cellsOf(whole)],
    ...splits.map(({ dimension, value, ...split }) => [dimension, value, ...cellsOf(split)]),
  ];
  return [
    formatTable([['arm', 'users', 'of all', 'configured'], ...arms]),
    formatTable([['split', 'value', 'users', 'sequential p', 'chi-squared p', 'deviation', 'verdict'], ...rows]),
    `${formatCount(crossovers)} users were seen in two arms, and are in no count`,
    ...(causes.length === 0
      ? ['no sign that Earshot is the cause']
      : causes.map((cause) => `Earshot is the cause: ${cause}`)),
    ...notes,
    '',
  ].join('\n');
}

const cellsOf = ({ users, sequentialP, chiSquaredP, deviation, verdict }: Mismatch): string[] => [
  ...[formatCount(users), sequentialP.toPrecision(2), chiSquaredP.toPrecision(2)],
  ...[`${(100 * deviation).toFixed(2)} %`, verdict],
];
