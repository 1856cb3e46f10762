// `earshot ingest`: loads files of lists or items into Bigtable. Lists are live only after `earshot publish`.
import { join } from 'node:path';
import { Command } from 'commander';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { toName } from '../../shared/domain/ids.ts';
import {
  FAMILIES,
  JSON_QUALIFIER,
  makeItemRowKey,
  makeListQualifier,
  makeRowKey,
  TABLES,
} from '../../shared/domain/keys.ts';
import { ITEMS, isItems, nameLine, nameRelease, type Release } from '../../shared/domain/release.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type BulkWriterOptions, createBulkWriter } from '../bigtable/bulk-writer.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { generationOption, surfaceOption, variantOption } from '../cli/arguments.ts';
import { author, type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatDuration, formatPlural } from '../cli/format.ts';
import { stateDirectory } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { findUserRef } from '../cli/user-ref.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { keepOutById, watchKeepOut } from '../effects/keep-out.ts';
import { STANDARD_INPUT } from './input.ts';
import { parseItemLine } from './item-line.ts';
import { createLazyClaim, requireHarmless } from './lazy-claim.ts';
import { parseListLine } from './list-line.ts';
import { type LoadedLines, loadFiles, measureFiles, type ParsedLine } from './load-files.ts';
import { createProgress } from './progress.ts';
import { createRejects, findNewFile, type Rejects, requireNewFile } from './rejects.ts';
import { createSummary } from './summary.ts';

interface Flags extends ControlFlags {
  readonly surface?: string;
  readonly variant?: string;
  readonly generation?: number;
  readonly items?: boolean;
  readonly rejects?: string;
  readonly add?: boolean;
  readonly takeOver?: boolean;
  readonly force?: boolean;
}

const examples = `
A file of lists has one JSON object a line, each user once in all files:
  {"user":"lastfm:2","items":[{"id":"artist:1001","score":1.0},{"id":"artist:51","score":0.9957}]}
A file of items has one JSON object with an id a line:
  {"id":"artist:1","name":"MALICE MIZER","listeners":3}
Files may be gzipped: the content decides, not the name. - is standard input. A load may have up to
100 million lines. A line that is not valid I-JSON (RFC 7493), or whose id the load has had before, is
not loaded: it is kept with its reason in the reject file, the others are loaded, and the exit code is 1.
One load of a generation runs at a time.

Examples:
  $ npx earshot ingest home.control.ndjson.gz --surface home --variant control
  $ npx earshot ingest part-*.ndjson.gz --surface home --variant knn --generation 2026-11-22T03:00:00Z
  $ zcat lists.gz | npx earshot ingest - --surface home --variant control
  $ npx earshot ingest items.ndjson.gz --items`;

export const makeIngestCommand = (): Command =>
  new Command('ingest')
    .argument('<file...>', 'files with one JSON object per line, gzipped or not; - is standard input')
    .addOption(surfaceOption())
    .addOption(variantOption())
    .addOption(generationOption('moment when the lists were computed (default: now)'))
    .option('--items', 'the files contain items, not lists')
    .option('--rejects <file>', 'new file for invalid lines (default: in .earshot/rejects)')
    .option('--add', 'add lists to a generation that is loaded already; its users are not compared')
    .option('--take-over', 'take the generation from a load whose process is gone')
    .option('--force', 'load even if that removes live lists')
    .addOption(controlProfileOption())
    .addHelpText('after', examples)
    .action(async (files: string[], _options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      checkFlags(files, flags);
      await ingest(files, flags);
    });

/** Throws a UsageError for options that would have no effect. */
function checkFlags(files: readonly string[], flags: Flags): void {
  const { surface, variant, generation, items, add, takeOver } = flags;
  if (items && (surface !== undefined || variant !== undefined))
    throw new UsageError('expected no --surface and no --variant with --items: items have none');
  if (!items && (surface === undefined || variant === undefined))
    throw new UsageError('expected --surface and --variant for lists, or --items for items');
  if (add && generation === undefined)
    throw new UsageError('expected --generation with --add: the loaded generation to add to');
  if (takeOver && generation === undefined)
    throw new UsageError('expected --generation with --take-over: the generation of the load that is gone');
  if (files.filter((file) => file === STANDARD_INPUT).length > 1)
    throw new UsageError('expected - once, got it twice: standard input has one end');
}

async function ingest(files: readonly string[], flags: Flags): Promise<void> {
  const totalBytes = await measureFiles(files);
  if (flags.rejects !== undefined) requireNewFile(flags.rejects, files);
  await confirmWrite(flags);
  await withControl(flags, (control) => load(control, files, totalBytes, flags));
}

async function load(control: ControlTable, files: readonly string[], totalBytes: number, flags: Flags): Promise<void> {
  const { surface = '', variant = '', generation = systemClock.now(), add = false, takeOver = false, force } = flags;
  const line = flags.items ? ITEMS : { surface: toName(surface), variant: toName(variant) };
  const release: Release = { ...line, generation };
  const options = { by: `${author()}, process ${process.pid}`, add, takeOver, force: force ?? false };
  await requireHarmless(control, release, options);
  const name = flags.items ? `items.${generation}` : `${surface}.${variant}.${generation}`;
  const rejects = createRejectFile(flags.rejects, name);
  await write(control, { files, totalBytes, rejects }, release, { ...options, flags });
  finishRejects(rejects);
}

interface Source {
  readonly files: readonly string[];
  readonly totalBytes: number;
  readonly rejects: Rejects;
}

/** The column of a release, and how a line becomes a cell of it. */
const columnOf = (release: Release) =>
  isItems(release)
    ? {
        ...{ table: TABLES.items, family: FAMILIES.metadata, qualifier: JSON_QUALIFIER, noun: 'item' },
        parse: (text: string): ParsedLine => {
          const { id, value } = parseItemLine(text);
          return { id, cell: { rowKey: makeItemRowKey(id), value } };
        },
      }
    : {
        ...{ table: TABLES.recommendations, family: FAMILIES.lists, noun: 'list' },
        qualifier: makeListQualifier(release.surface, release.variant),
        parse: (text: string): ParsedLine => {
          const { user, value } = parseListLine(text);
          return { id: user, cell: { rowKey: makeRowKey(user), value } };
        },
      };

async function write(
  control: ControlTable,
  { files, totalBytes, rejects }: Source,
  release: Release,
  options: Parameters<typeof requireHarmless>[2] & { readonly flags: Flags },
): Promise<void> {
  const { parse, noun, ...column } = columnOf(release);
  const startedAtMs = systemClock.now();
  const claim = createLazyClaim(control, release, options);
  const writer = createWriter(control.bigtable, {
    ...{ ...column, timestampMs: release.generation, beforeFirst: claim.take },
  });
  const summary = createSummary();
  const moment = formatGeneration(release.generation);
  const keepOut = isItems(release) ? undefined : await watchKeepOut(control);
  let loaded: LoadedLines;
  try {
    loaded = await loadFiles({
      ...{ files, totalBytes, parse, rejects },
      requireHeld: () => {
        claim.requireHeld();
        keepOut?.requireCurrent();
      },
      ...(keepOut === undefined ? {} : { keepOut: keepOutById(keepOut, () => findUserRef(options.flags)) }),
      writer: {
        ...writer,
        write: (cell) => {
          if (cell.value !== undefined) summary.add(cell.rowKey, cell.value);
          return writer.write(cell);
        },
      },
      progress: createProgress({ label: nameLine(release), output: process.stderr, clock: systemClock }),
    });
    requireSome(loaded.written + loaded.keptOut, noun, rejects);
    await claim.finish(summary.get(rejects.count()));
  } catch (error) {
    const { message } = error as Error;
    const isPartial = await claim.abandon(writer.mayHaveWritten());
    const again = `this load cannot go live; to load it again, pass --generation ${moment}`;
    throw new Error(isPartial ? `${message}; ${again}` : message, { cause: error });
  } finally {
    keepOut?.stop();
  }
  report(`${nameLine(release)} ${moment}: ${formatPlural(loaded.written, noun)}`, files, startedAtMs);
  if (loaded.keptOut > 0)
    process.stdout.write(`${formatPlural(loaded.keptOut, 'line')} dropped: their users are kept out\n`);
  process.stdout.write(`To make it live: npx earshot publish ${nameRelease(release)}\n`);
}

type Column = Pick<BulkWriterOptions, 'table' | 'family' | 'qualifier' | 'timestampMs' | 'beforeFirst'>;

const createWriter = (bigtable: BigtableConnection, column: Column) =>
  createBulkWriter(bigtable, { ...column, appProfile: APP_PROFILES.ingest, clock: systemClock, random: Math.random });

const MAX_SHOWN_REJECTS = 10;

function createRejectFile(path: string | undefined, name: string): Rejects {
  let shown = 0;
  const makePath = (suffix: string): string => join(stateDirectory(), 'rejects', `${name}${suffix}.ndjson`);
  return createRejects(path ?? findNewFile(makePath), ({ file, line, reason }) => {
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
