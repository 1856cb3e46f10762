// `earshot sample`: synthetic lists of any size, to try loads and to measure them.
import { dirname } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { isName, NAME_GRAMMAR, POPULAR_SURFACE, POPULAR_USER } from '../../shared/domain/ids.ts';
import { MAX_ITEMS } from '../../shared/domain/list.ts';
import { formatPlural } from '../cli/format.ts';
import { makeDirectory } from '../cli/state-file.ts';
import { createAvroFile } from '../files/avro-file.ts';
import { createJsonFile } from '../files/json-file.ts';
import { createOutput } from '../files/output.ts';
import { createParquetFile } from '../files/parquet-file.ts';
import type { RecordFile } from '../files/record-file.ts';
import { LIST_SCHEMA } from '../files/schemas.ts';
import { isCloudStorage } from '../ingest/inputs/cloud-storage.ts';
import { type SampleShape, sampleList, sampleUser } from './lists.ts';

const FORMATS = ['ndjson', 'avro', 'parquet'] as const;

interface Flags {
  readonly users: number;
  readonly surfaces: readonly string[];
  readonly variant: string;
  readonly days: number;
  readonly format: (typeof FORMATS)[number];
  readonly out: string;
  readonly seed: number;
  readonly catalogue: number;
  readonly length: number;
}

const MAX_USERS = 1_000_000_000;

export const makeSampleCommand = (): Command =>
  new Command('sample')
    .description('Writes synthetic lists: the same for the same seed, with popular items and change from day to day.')
    .requiredOption('--users <count>', 'number of users', parseCount(1, MAX_USERS))
    .requiredOption('--out <directory>', 'directory for the files, or gs://BUCKET/PREFIX')
    .addOption(
      new Option('--surfaces <names>', 'surfaces, separated by commas')
        .argParser(parseSurfaces)
        .default(['home'], 'home'),
    )
    .option('--variant <name>', 'variant of the surfaces', 'control')
    .option('--days <count>', 'days; each has a directory, unless it is one', parseCount(1, 365), 1)
    .addOption(new Option('--format <format>', 'format of the files').choices(FORMATS).default('ndjson'))
    .option('--length <items>', 'items of the longest lists', parseCount(1, MAX_ITEMS), 50)
    .option('--catalogue <items>', 'number of different items', parseCount(MAX_ITEMS, 100_000_000), 1_000_000)
    .option('--seed <number>', 'another number makes other lists', parseCount(0, 0xffff_ffff), 1)
    .addHelpText('after', '\nExample:\n  $ npx earshot sample --users 100000 --surfaces home,popular --out sample')
    .action(async (_options: unknown, command: Command) => writeSample(command.optsWithGlobals()));

async function writeSample(flags: Flags): Promise<void> {
  const { users, surfaces, variant, days, out, seed, catalogue, length, format } = flags;
  for (let day = 0; day < days; day++) {
    const directory = days === 1 ? out : `${out}/day-${day + 1}`;
    for (const surface of surfaces) {
      const path = `${directory}/${surface}.${variant}.${format}`;
      await writeFile(path, format, { seed, catalogue, length }, surface, day, users);
      process.stdout.write(`${path}: ${formatPlural(surface === POPULAR_SURFACE ? 1 : users, 'list')}\n`);
    }
  }
}

async function writeFile(
  path: string,
  format: Flags['format'],
  shape: SampleShape,
  surface: string,
  day: number,
  users: number,
): Promise<void> {
  const file = await openFile(path, format);
  try {
    if (surface === POPULAR_SURFACE) await file.add(sampleList(shape, surface, day, POPULAR_USER));
    else for (let i = 0; i < users; i++) await file.add(sampleList(shape, surface, day, sampleUser(i)));
    await file.end();
  } catch (error) {
    await file.abandon();
    throw error;
  }
}

async function openFile(path: string, format: Flags['format']): Promise<RecordFile> {
  if (!isCloudStorage(path)) makeDirectory(dirname(path));
  const output = await createOutput(path);
  if (format === 'avro') return createAvroFile(output, LIST_SCHEMA);
  return format === 'parquet' ? createParquetFile(output) : createJsonFile(output);
}

const parseCount =
  (least: number, most: number) =>
  (text: string): number => {
    const count = Number(text);
    if (/^\d{1,10}$/.test(text) && count >= least && count <= most) return count;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}, got ${JSON.stringify(text)}.`);
  };

function parseSurfaces(text: string): string[] {
  const names = text.split(',');
  const wrong = names.find((name) => !isName(name));
  if (wrong === undefined && new Set(names).size === names.length) return names;
  throw new InvalidArgumentError(
    `expected names of surfaces once each, separated by commas (${NAME_GRAMMAR}), got ${JSON.stringify(text)}.`,
  );
}
