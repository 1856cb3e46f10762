// `earshot experiment srm`: the report of a sample ratio mismatch. It exits with code 3 for an alarm.
import type { ArchivedExposure } from '../../shared/domain/experiments/archive.ts';
import { type ControlFlags, withControl } from '../cli/control.ts';
import { EXIT, ExitError } from '../cli/exit-codes.ts';
import { formatCount, formatTable } from '../cli/format.ts';
import { parseExposure } from '../exposures/parse-exposure.ts';
import { type ArchiveFlags, findArchive, readArchive } from '../exposures/read-archive.ts';
import { readLines } from '../ingest/formats/open-lines.ts';
import { findInputs } from '../ingest/inputs/find-inputs.ts';
import { readLive } from '../release/live.ts';
import type { Mismatch } from './ratio-mismatch.ts';
import { checkRatio, isOfRun, type SrmReport } from './srm.ts';

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
  const report = checkRatio(
    name,
    experiment,
    await collectFirst(sourceOf(flags), (exposure) => isOfRun(name, experiment, exposure)),
  );
  process.stdout.write(flags.json ? `${JSON.stringify({ experiment: name, ...report })}\n` : describe(report));
  if (report.verdict === 'alarm')
    throw new ExitError(EXIT.refused, `${name} has a sample ratio mismatch: do not read its results`);
}

/**
 * The exposures of the experiment that the report needs: the first of each user in each arm, by each rule. Memory is
 * bounded by its users.
 */
async function collectFirst(
  exposures: AsyncIterable<ArchivedExposure>,
  isCounted: (exposure: ArchivedExposure) => boolean,
): Promise<Iterable<ArchivedExposure>> {
  const first = new Map<string, ArchivedExposure>();
  for await (const exposure of exposures) {
    if (!isCounted(exposure)) continue;
    const key = `${exposure.userRef} ${exposure.arm} ${exposure.reason}`;
    const known = first.get(key);
    if (known === undefined || exposure.atMs < known.atMs) first.set(key, exposure);
  }
  return first.values();
}

/** An exposure that was reported several times may stand there several times: the report counts users. */
async function* sourceOf(flags: Flags): AsyncIterable<ArchivedExposure> {
  const { file, since = Date.now() - DEFAULT_SINCE_MS } = flags;
  if (file === undefined) yield* readArchive(await findArchive(flags), { sinceMs: since, untilMs: Date.now() });
  else for await (const exposure of readFile(file)) if (exposure.atMs >= (flags.since ?? 0)) yield exposure;
}

async function* readFile(file: string): AsyncIterable<ArchivedExposure> {
  for (const source of await findInputs([file]))
    for await (const lines of readLines(source, undefined, () => undefined))
      for (const { number, text, broken } of lines) {
        if (broken !== undefined) throw new Error(`${file}:${number} is no exposure: ${broken}`);
        yield parseExposure(text, `${file}:${number}`);
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
