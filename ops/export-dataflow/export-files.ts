// Writes the accepted lists of the inputs as files of Bigtable rows, and prints how to go on with them.
import { formatGeneration } from '../../shared/domain/generation.ts';
import { FAMILIES, makeListQualifier, makeRowKey } from '../../shared/domain/keys.ts';
import { nameLine, type Release } from '../../shared/domain/release.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { formatDuration, formatPlural } from '../cli/format.ts';
import { type ParsedLine, readAccepted } from '../ingest/accepted-lines.ts';
import { findInputs } from '../ingest/inputs/find-inputs.ts';
import { type Source, sizeOf } from '../ingest/inputs/source.ts';
import { parseListLine } from '../ingest/line/list-line.ts';
import { createProgress } from '../ingest/progress.ts';
import { createRejectFile } from '../ingest/reject-file.ts';
import { requireFew, requireFewSoFar, requireSome } from '../ingest/reject-share.ts';
import { type Rejects, requireNewFile } from '../ingest/rejects.ts';
import { type Destination, describeNextSteps } from './next-steps.ts';
import { createRowFiles, type RowFiles } from './row-files.ts';
import { openTarget } from './target.ts';

export interface ExportOptions {
  readonly inputs: readonly string[];
  readonly out: string;
  /** File for invalid lines. Default: a new one in the state directory. */
  readonly rejectPath: string | undefined;
  readonly release: Release;
  readonly destination: Destination;
  readonly rowsPerFile: number;
  /** 0 to 1. */
  readonly maxRejectShare: number;
}

/** Throws an Error that leaves no file if an input cannot be read to its end, or too few of its lines are valid. */
export async function exportFiles(options: ExportOptions): Promise<void> {
  const { inputs, out, rejectPath, release, destination, rowsPerFile } = options;
  const startedAtMs = systemClock.now();
  const sources = await findInputs(inputs);
  if (rejectPath !== undefined) requireNewFile(rejectPath, inputs);
  const target = await openTarget(out);
  const rejects = createRejectFile(rejectPath, `${release.surface}.${release.variant}.${release.generation}.export`);
  const column = {
    family: FAMILIES.lists,
    qualifier: makeListQualifier(release.surface, release.variant),
    timestampMicros: release.generation * 1_000,
  };
  const rows = createRowFiles(target, column, rowsPerFile);
  let lists: number;
  let files: number;
  try {
    lists = await writeRows(sources, rows, rejects, { kind: 'lists', ...column }, options);
    files = await rows.end();
  } catch (error) {
    const left = await rows.abandon();
    if (left.length === 0) throw error;
    throw new Error(`${(error as Error).message}; delete the files that are left: ${left.join(', ')}`, {
      cause: error,
    });
  } finally {
    await rejects.close();
  }
  if (rejects.count() > 0)
    process.stderr.write(
      `${formatPlural(rejects.count(), 'line')} not exported, kept with the reasons in ${rejects.path}\n`,
    );
  const took = formatDuration(systemClock.now() - startedAtMs);
  const name = `${nameLine(release)} ${formatGeneration(release.generation)}`;
  process.stdout.write(
    `${name}: ${formatPlural(lists, 'list')} in ${formatPlural(files, 'file')}, ${target.pattern}, in ${took}\n${describeNextSteps(target, destination, release, lists)}`,
  );
}

/** Resolves with the number of rows. */
async function writeRows(
  sources: readonly Source[],
  rows: RowFiles,
  rejects: Rejects,
  form: Parameters<typeof readAccepted>[0]['form'],
  { release, maxRejectShare }: ExportOptions,
): Promise<number> {
  const progress = createProgress({ label: nameLine(release), output: process.stderr, clock: systemClock });
  const onBytes = (bytes: number): void => progress.addBytes(bytes);
  let count = 0;
  progress.start(sizeOf(sources));
  try {
    for await (const lines of readAccepted({ sources, form, parse, rejects, onBytes })) {
      for (const { cell } of lines) await rows.add(cell.rowKey, cell.value);
      count += lines.length;
      requireFewSoFar(rejects, maxRejectShare);
      progress.setCounts(count, rejects.count());
    }
  } finally {
    progress.stop();
  }
  requireSome(count, 'list', rejects);
  requireFew(rejects, count, maxRejectShare);
  return count;
}

function parse(text: string): ParsedLine {
  const { user, value } = parseListLine(text);
  return { id: user, cell: { rowKey: makeRowKey(user), value } };
}
