// `earshot ingest`: loads files of lists or items into Bigtable. Lists are live only after `earshot publish`.
import { Command, InvalidArgumentError, Option } from 'commander';
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
import type { ControlTable } from '../bigtable/control-table.ts';
import { type BulkWriterOptions, createBulkWriter } from '../bigtable/writes/bulk-writer.ts';
import { createWriteThrottle } from '../bigtable/writes/write-throttle.ts';
import { generationOption, surfaceOption, variantOption } from '../cli/arguments.ts';
import { author, type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatDuration, formatPlural } from '../cli/format.ts';
import { UsageError } from '../cli/usage-error.ts';
import { findUserRef } from '../cli/user-ref.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { keepOutById, watchKeepOut } from '../effects/keep-out.ts';
import type { ParsedLine } from './accepted-lines.ts';
import { deleteOthers } from './delete-others.ts';
import { describeSizes, findInputs } from './inputs/find-inputs.ts';
import { STANDARD_INPUT } from './inputs/local.ts';
import type { Source } from './inputs/source.ts';
import { createLazyClaim, requireHarmless } from './lazy-claim.ts';
import { parseItemLine } from './line/item-line.ts';
import { parseListLine } from './line/list-line.ts';
import { type LoadedLines, loadFiles } from './load-files.ts';
import { createProgress } from './progress.ts';
import { createRejectFile } from './reject-file.ts';
import { maxRejectShareOption, requireFew, requireFewSoFar, requireSome } from './reject-share.ts';
import { type Rejects, requireNewFile } from './rejects.ts';
import { createSummary } from './summary.ts';

interface Flags extends ControlFlags {
  readonly surface?: string;
  readonly variant?: string;
  readonly generation?: number;
  readonly items?: boolean;
  readonly rejects?: string;
  readonly add?: boolean;
  readonly takeOver?: boolean;
  readonly resume?: boolean;
  readonly maxRejectShare: number;
  readonly maxRowsPerSecond?: number;
  readonly force?: boolean;
}

const examples = `
A file of lists has one JSON object a line, each user once in all files:
  {"user":"lastfm:2","items":[{"id":"artist:1001","score":1.0},{"id":"artist:51","score":0.9957}]}
A file of items has one JSON object with an id a line:
  {"id":"artist:1","name":"MALICE MIZER","listeners":3}
Avro and Parquet have the same fields, and rows of Bigtable the form of Google's Dataflow templates
(docs/loading.md). Lines and Avro may be packed by gzip or zstd: the content decides, not the name. An
input is a file, a directory, a pattern, gs://BUCKET/OBJECT, or - for standard input. A load may have up
to 100 million lines. A line that is not valid I-JSON (RFC 7493), or whose id the load has had before,
is not loaded: it is kept with its reason in the reject file. More of them than --max-reject-share
refuse the load. One load of a generation runs at a time.

Examples:
  $ npx earshot ingest home.control.ndjson.gz --surface home --variant control
  $ npx earshot ingest part-*.ndjson.gz --surface home --variant knn --generation 2026-11-22T03:00:00Z
  $ npx earshot ingest 'gs://lists/2026-11-22/*.avro' --surface home --variant control
  $ npx earshot ingest part-*.zst --surface home --variant knn --generation 2026-11-22T03:00:00Z --resume
  $ npx earshot ingest items.ndjson.gz --items`;

export const makeIngestCommand = (): Command =>
  new Command('ingest')
    .argument('<input...>', 'files, directories, patterns, gs:// objects; - is standard input')
    .addOption(surfaceOption())
    .addOption(variantOption())
    .addOption(generationOption('moment when the lists were computed (default: now)'))
    .option('--items', 'the files contain items, not lists')
    .option('--rejects <file>', 'new file for invalid lines (default: in .earshot/rejects)')
    .option('--add', 'add lists to a generation that is loaded already; its users are not compared')
    .option('--take-over', 'take the generation from a load whose process is gone')
    .option('--resume', 'go on with a load of the generation that was killed, with the same inputs')
    .addOption(maxRejectShareOption('more invalid lines refuse the load'))
    .addOption(
      new Option('--max-rows-per-second <count>', 'limit of the pace, which follows the cluster').argParser(parseRate),
    )
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
  const { surface, variant, generation, items, add, takeOver, resume } = flags;
  if (items && (surface !== undefined || variant !== undefined))
    throw new UsageError('expected no --surface and no --variant with --items: items have none');
  if (!items && (surface === undefined || variant === undefined))
    throw new UsageError('expected --surface and --variant for lists, or --items for items');
  if (add && generation === undefined)
    throw new UsageError('expected --generation with --add: the loaded generation to add to');
  if (takeOver && generation === undefined)
    throw new UsageError('expected --generation with --take-over: the generation of the load that is gone');
  if (resume && generation === undefined)
    throw new UsageError('expected --generation with --resume: the generation of the load that was killed');
  if (resume && add) throw new UsageError('expected --resume or --add, got both');
  if (files.filter((file) => file === STANDARD_INPUT).length > 1)
    throw new UsageError('expected - once, got it twice: standard input has one end');
}

async function ingest(files: readonly string[], flags: Flags): Promise<void> {
  const sources = await findInputs(files);
  if (flags.rejects !== undefined) requireNewFile(flags.rejects, files);
  await confirmWrite(flags);
  await withControl(flags, (control) => load(control, sources, flags));
}

async function load(control: ControlTable, sources: readonly Source[], flags: Flags): Promise<void> {
  const { surface = '', variant = '', generation = systemClock.now(), add = false, takeOver = false } = flags;
  const { force = false, resume = false } = flags;
  const line = flags.items ? ITEMS : { surface: toName(surface), variant: toName(variant) };
  const release: Release = { ...line, generation };
  const by = `${author()}, process ${process.pid}`;
  const options = { by, add, takeOver, resume, force, inputs: describeSizes(sources) };
  await requireHarmless(control, release, options);
  const name = flags.items ? `items.${generation}` : `${surface}.${variant}.${generation}`;
  const rejects = createRejectFile(flags.rejects, name);
  await write(control, { sources, rejects }, release, { ...options, flags });
  if (rejects.count() > 0)
    process.stderr.write(
      `${formatPlural(rejects.count(), 'line')} not loaded, kept with the reasons in ${rejects.path}\n`,
    );
}

interface Input {
  readonly sources: readonly Source[];
  readonly rejects: Rejects;
}

/** The column of a release, and how a line becomes a cell of it. */
const columnOf = (release: Release) =>
  isItems(release)
    ? {
        ...{
          table: TABLES.items,
          family: FAMILIES.metadata,
          qualifier: JSON_QUALIFIER,
          noun: 'item',
          kind: 'items' as const,
        },
        parse: (text: string): ParsedLine => {
          const { id, value } = parseItemLine(text);
          return { id, cell: { rowKey: makeItemRowKey(id), value } };
        },
      }
    : {
        ...{ table: TABLES.recommendations, family: FAMILIES.lists, noun: 'list', kind: 'lists' as const },
        qualifier: makeListQualifier(release.surface, release.variant),
        parse: (text: string): ParsedLine => {
          const { user, value } = parseListLine(text);
          return { id: user, cell: { rowKey: makeRowKey(user), value } };
        },
      };

async function write(
  control: ControlTable,
  { sources, rejects }: Input,
  release: Release,
  options: Parameters<typeof requireHarmless>[2] & { readonly flags: Flags },
): Promise<void> {
  const { parse, noun, kind, ...column } = columnOf(release);
  const { flags } = options;
  const startedAtMs = systemClock.now();
  const claim = createLazyClaim(control, release, options);
  const throttle = createWriteThrottle({ clock: systemClock, maxRowsPerSecond: flags.maxRowsPerSecond });
  const writer = createWriter(control.bigtable, {
    ...{ ...column, timestampMs: release.generation, throttle },
    ...{ beforeFirst: claim.take, requireAllowed: claim.requireHeld },
  });
  const summary = createSummary();
  const moment = formatGeneration(release.generation);
  const keepOut = isItems(release) ? undefined : await watchKeepOut(control);
  let loaded: LoadedLines;
  try {
    await claim.takeIfPartial();
    loaded = await loadFiles({
      ...{ sources, parse, rejects, writer, summary, resumeFrom: claim.resumeFrom(), onStored: claim.note },
      hasEarlierCells: claim.hasEarlierCells(),
      form: { kind, ...column, timestampMicros: release.generation * 1_000 },
      requireHeld: () => {
        claim.requireHeld();
        keepOut?.requireCurrent();
        requireFewSoFar(rejects, flags.maxRejectShare);
      },
      requireAcceptable: (accepted) => {
        requireSome(accepted, noun, rejects);
        requireFew(rejects, accepted, flags.maxRejectShare);
      },
      ...(keepOut === undefined ? {} : { keepOut: keepOutById(keepOut, () => findUserRef(flags)) }),
      progress: createProgress({ label: nameLine(release), output: process.stderr, clock: systemClock }),
    });
    // Also for a load whose users are all kept out: it wrote nothing.
    await claim.take();
    // A load that goes on has the inputs of before, and one that adds does not have all lists.
    if (claim.hasEarlierCells() && !options.resume && !options.add)
      await deleteOthers(control, { ...column, timestampMs: release.generation }, loaded.hasId, claim.requireHeld);
    await claim.finish(summary.get(rejects.count()));
  } catch (error) {
    const mayHaveWritten = await writer.stop();
    const isPartial = await claim.abandon(mayHaveWritten || options.resume === true);
    throw isPartial ? unfinished(error as Error, moment, options.add) : error;
  } finally {
    keepOut?.stop();
  }
  report(`${nameLine(release)} ${moment}: ${formatPlural(loaded.written, noun)}`, sources, startedAtMs);
  if (loaded.keptOut > 0)
    process.stdout.write(`${formatPlural(loaded.keptOut, 'line')} dropped: their users are kept out\n`);
  process.stdout.write(`To make it live: npx earshot publish ${nameRelease(release)}\n`);
}

function unfinished(error: Error, moment: string, add: boolean): Error {
  const how = add ? ' with --add, or with --resume to go on with it' : ', and --resume to go on with it';
  const again = `this load cannot go live; to load it again, pass --generation ${moment}${how}`;
  return new Error(`${error.message}; ${again}`, { cause: error });
}

type Column = Pick<BulkWriterOptions, 'table' | 'family' | 'qualifier' | 'timestampMs'> &
  Pick<BulkWriterOptions, 'throttle' | 'beforeFirst' | 'requireAllowed'>;

const createWriter = (bigtable: BigtableConnection, column: Column) =>
  createBulkWriter(bigtable, { ...column, appProfile: APP_PROFILES.ingest, clock: systemClock, random: Math.random });

function report(what: string, sources: readonly Source[], startedAtMs: number): void {
  const took = formatDuration(systemClock.now() - startedAtMs);
  process.stdout.write(`${what} from ${formatPlural(sources.length, 'file')} in ${took}\n`);
}

function parseRate(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`expected a whole number of rows from 1, got ${JSON.stringify(text)}`);
}
