// `earshot ingest`: loads files of lists or items into Bigtable. Lists are live only after `earshot publish`.
import { join } from 'node:path';
import { Command } from 'commander';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { readManifest } from '../../origin/bigtable/manifest-row.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { FAMILIES, JSON_QUALIFIER, makeListQualifier, makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type BulkWriterOptions, createBulkWriter } from '../bigtable/bulk-writer.ts';
import { type Load, type LoadReceipt, listLoads, writeLoadReceipt } from '../bigtable/load-receipt.ts';
import { generationOption, surfaceOption, variantOption } from '../cli/arguments.ts';
import { formatDuration, formatPlural } from '../cli/format.ts';
import { type ConnectionFlags, stateDirectory, withConnection } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { whyNotLoad } from '../publish/allowed-generations.ts';
import { parseItemLine } from './item-line.ts';
import { parseListLine } from './list-line.ts';
import { loadFiles, measureFiles, type ParsedLine } from './load-files.ts';
import { createProgress } from './progress.ts';
import { createRejects, type Rejects } from './rejects.ts';

const TIMEOUT_MS = 10_000;

interface Flags extends ConnectionFlags {
  readonly surface?: string;
  readonly variant?: string;
  readonly generation?: number;
  readonly items?: boolean;
  readonly rejects?: string;
  readonly force?: boolean;
}

const examples = `
A file of lists has one JSON object a line, each user once:
  {"user":"lastfm:2","items":[{"id":"artist:1001","score":1.0},{"id":"artist:51","score":0.9957}]}
A file of items has one JSON object with an id a line:
  {"id":"artist:1","name":"MALICE MIZER","listeners":3}
Files may be gzipped (.gz), of up to 12.5 million lines each. A line that is not valid, or whose
id the file has had before, is not loaded: it is kept with its reason in the reject file, the
others are loaded, and the exit code is 1.

Examples:
  $ earshot ingest home.control.ndjson.gz --surface home --variant control
  $ earshot ingest part-*.ndjson.gz --surface home --variant knn --generation 2026-11-22T03:00:00Z
  $ earshot ingest items.ndjson.gz --items`;

export const makeIngestCommand = (): Command =>
  new Command('ingest')
    .argument('<file...>', 'files with one JSON object per line, gzipped or not')
    .addOption(surfaceOption())
    .addOption(variantOption())
    .addOption(generationOption('moment when the lists were computed (default: now)'))
    .option('--items', 'the files contain items, not lists')
    .option('--rejects <file>', 'file for invalid lines (default: in .earshot/rejects)')
    .option('--force', 'load even if that removes live lists')
    .addHelpText('after', examples)
    .action(async (files: string[], _options: unknown, command: Command) => ingest(files, command.optsWithGlobals()));

async function ingest(files: readonly string[], flags: Flags): Promise<void> {
  await withConnection(flags, (bigtable) =>
    flags.items ? ingestItems(bigtable, files, flags) : ingestLists(bigtable, files, flags),
  );
}

async function ingestLists(bigtable: BigtableConnection, files: readonly string[], flags: Flags): Promise<void> {
  const { surface, variant, generation = systemClock.now() } = flags;
  if (surface === undefined || variant === undefined) {
    throw new UsageError('expected --surface and --variant for lists, or --items for items');
  }
  const load: Load = { surface, variant, generation };
  const totalBytes = await measureFiles(files);
  if (!flags.force) await requireHarmless(bigtable, load);
  await recordLoad(bigtable, load, { state: 'loading', lists: 0, rejected: 0 });
  const rejects = createRejectFile(flags.rejects, `${surface}.${variant}.${generation}`);
  try {
    await writeLists(bigtable, { files, totalBytes, rejects }, load);
  } catch (error) {
    const again = `to load it again, pass --generation ${formatGeneration(generation)}`;
    throw new Error(`${(error as Error).message}; this load cannot go live; ${again}`, { cause: error });
  }
  finishRejects(rejects);
}

interface Source {
  readonly files: readonly string[];
  readonly totalBytes: number;
  readonly rejects: Rejects;
}

async function writeLists(
  bigtable: BigtableConnection,
  { files, totalBytes, rejects }: Source,
  load: Load,
): Promise<void> {
  const { surface, variant, generation } = load;
  const qualifier = makeListQualifier(surface, variant);
  const startedAtMs = systemClock.now();
  const column = { table: TABLES.recommendations, family: FAMILIES.lists, qualifier, timestampMs: generation };
  const lists = await loadFiles({
    files,
    totalBytes,
    parse: (text): ParsedLine => {
      const { user, value } = parseListLine(text);
      return { id: user, cell: { rowKey: makeRowKey(user), value } };
    },
    writer: createWriter(bigtable, column),
    rejects,
    progress: createProgress({ label: qualifier, output: process.stderr, clock: systemClock }),
  });
  requireSome(lists, 'list', rejects);
  await recordLoad(bigtable, load, { state: 'loaded', lists, rejected: rejects.count() });
  const moment = formatGeneration(generation);
  report(`${qualifier} ${moment}: ${formatPlural(lists, 'list')}`, files, startedAtMs);
  process.stdout.write(
    `To make it live: earshot publish --surface ${surface} --variant ${variant} --generation ${moment}\n`,
  );
}

/** Throws an Error if the load would remove live lists. */
async function requireHarmless(bigtable: BigtableConnection, load: Load): Promise<void> {
  const { surface, variant, generation } = load;
  const { manifest } = await readManifest(bigtable, APP_PROFILES.control, TIMEOUT_MS);
  const reason = whyNotLoad({
    generation,
    loads: (await listLoads(bigtable, APP_PROFILES.control, load)).map((each) => each.generation),
    live: manifest.surfaces[surface]?.variants.find(({ name }) => name === variant),
    nowMs: systemClock.now(),
  });
  if (reason !== undefined) throw new Error(`${reason} (--force loads it anyway)`);
}

async function ingestItems(bigtable: BigtableConnection, files: readonly string[], flags: Flags): Promise<void> {
  if (flags.surface !== undefined || flags.variant !== undefined || flags.generation !== undefined) {
    throw new UsageError('expected no --surface, --variant or --generation with --items: items have none');
  }
  const startedAtMs = systemClock.now();
  const rejects = createRejectFile(flags.rejects, `items.${startedAtMs}`);
  const totalBytes = await measureFiles(files);
  const items = await loadFiles({
    files,
    totalBytes,
    parse: (text): ParsedLine => {
      const { id, value } = parseItemLine(text);
      return { id, cell: { rowKey: makeRowKey(id), value } };
    },
    writer: createWriter(bigtable, {
      table: TABLES.items,
      family: FAMILIES.metadata,
      qualifier: JSON_QUALIFIER,
      timestampMs: startedAtMs,
    }),
    rejects,
    progress: createProgress({ label: 'items', output: process.stderr, clock: systemClock }),
  });
  requireSome(items, 'item', rejects);
  report(formatPlural(items, 'item'), files, startedAtMs);
  finishRejects(rejects);
}

type Column = Pick<BulkWriterOptions, 'table' | 'family' | 'qualifier' | 'timestampMs'>;

const createWriter = (bigtable: BigtableConnection, column: Column) =>
  createBulkWriter(bigtable, { ...column, appProfile: APP_PROFILES.ingest, clock: systemClock, random: Math.random });

const recordLoad = (bigtable: BigtableConnection, load: Load, receipt: LoadReceipt) =>
  writeLoadReceipt(bigtable, APP_PROFILES.control, load, receipt, systemClock.now());

const MAX_SHOWN_REJECTS = 10;

function createRejectFile(path: string | undefined, name: string): Rejects {
  let shown = 0;
  return createRejects(path ?? join(stateDirectory(), 'rejects', `${name}.ndjson`), ({ file, line, reason }) => {
    if (++shown <= MAX_SHOWN_REJECTS) process.stderr.write(`${file}:${line}: ${reason}\n`);
  });
}

function report(what: string, files: readonly string[], startedAtMs: number): void {
  const took = formatDuration(systemClock.now() - startedAtMs);
  process.stdout.write(`${what} from ${formatPlural(files.length, 'file')} in ${took}\n`);
}

function requireSome(loaded: number, noun: string, rejects: Rejects): void {
  if (loaded > 0) return;
  throw new Error(
    `expected at least one valid ${noun}, got ${formatPlural(rejects.count(), 'line')} that are invalid, kept in ${rejects.path}`,
  );
}

/** A load with rejects is partial: exit code 1. */
function finishRejects(rejects: Rejects): void {
  if (rejects.count() === 0) return;
  const what = `${formatPlural(rejects.count(), 'line')} not loaded`;
  throw new Error(`${what}, kept with the reasons in ${rejects.path}; the others are loaded`);
}
