// `earshot export-dataflow`: lists for engines other than the loader. It writes Avro files for Google's template, or
// prints the SQL that exports a table of BigQuery. It uses no Bigtable.
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Name } from '../../shared/domain/ids.ts';
import type { Release } from '../../shared/domain/release.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { generationOption, surfaceOption, variantOption } from '../cli/arguments.ts';
import type { ConnectionFlags } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { STANDARD_INPUT } from '../ingest/inputs/local.ts';
import { maxRejectShareOption } from '../ingest/reject-share.ts';
import { makeExportSql, parseTable, type Table } from './bigquery-sql.ts';
import { exportFiles } from './export-files.ts';
import type { Destination } from './next-steps.ts';

interface Flags extends ConnectionFlags {
  readonly surface?: Name;
  readonly variant?: Name;
  readonly generation?: number;
  readonly out?: string;
  readonly rowsPerFile: number;
  readonly region: string;
  readonly rejects?: string;
  readonly maxRejectShare: number;
  readonly bigquery?: Table;
}

const examples = `
The inputs are those of \`earshot ingest\`, and so are the checks of their lines. The files have rows for Google's
template GCS_Avro_to_Cloud_Bigtable. All of them are there at the end, or none. The output names the line that runs
the template and the one that makes a release of its result. With --bigquery nothing is written: the output is SQL.

Examples:
  $ npx earshot export-dataflow 'gs://lists/2026-11-29/*.avro' --surface home --variant control \\
      --generation 2026-11-29T03:00:00Z --out gs://lists/rows/2026-11-29 --project PROJECT --instance INSTANCE
  $ npx earshot export-dataflow --bigquery PROJECT.DATASET.TABLE --surface home --variant control \\
      --generation 2026-11-29T03:00:00Z --project PROJECT --instance INSTANCE | bq query --nouse_legacy_sql`;

export const makeExportDataflowCommand = (): Command =>
  new Command('export-dataflow')
    .argument('[input...]', 'files, directories, patterns, gs:// objects; - is standard input')
    .addOption(surfaceOption().makeOptionMandatory())
    .addOption(variantOption().makeOptionMandatory())
    .addOption(generationOption('moment when the lists were computed (default: now)'))
    .option('--out <directory>', 'directory for the files, or gs://BUCKET/PREFIX, without files of an earlier export')
    .addOption(
      new Option('--rows-per-file <count>', 'rows of a file').argParser(parseRows).default(DEFAULT_ROWS, '500000'),
    )
    .addOption(
      new Option('--region <region>', 'region of the job')
        .argParser(parseRegion)
        .default(DEFAULT_REGION, DEFAULT_REGION),
    )
    .option('--rejects <file>', 'new file for invalid lines (default: in .earshot/rejects)')
    .addOption(maxRejectShareOption('more invalid lines refuse the export'))
    .addOption(
      new Option('--bigquery <project.dataset.table>', 'print the SQL that exports this table').argParser(parseSource),
    )
    .addHelpText('after', examples)
    .action(async (inputs: string[], _options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      checkFlags(inputs, flags, command);
      await run(inputs, flags);
    });

async function run(inputs: readonly string[], flags: Flags): Promise<void> {
  const { surface, variant, generation = systemClock.now(), bigquery, out = '', rowsPerFile, maxRejectShare } = flags;
  if (surface === undefined || variant === undefined) throw new UsageError('expected --surface and --variant');
  const release: Release = { surface, variant, generation };
  const destination = findDestination(flags);
  if (bigquery !== undefined) process.stdout.write(makeExportSql(bigquery, destination, release, maxRejectShare));
  else await exportFiles({ inputs, out, rejectPath: flags.rejects, release, destination, rowsPerFile, maxRejectShare });
}

/** Throws a UsageError for options that would have no effect. */
function checkFlags(inputs: readonly string[], { bigquery, out, rejects }: Flags, command: Command): void {
  if (bigquery === undefined) {
    if (inputs.length === 0) throw new UsageError('expected inputs and --out, or --bigquery, got neither');
    if (out === undefined) throw new UsageError('expected --out with inputs: the place of the files');
  } else {
    const isOfFiles = (option: string): boolean => command.getOptionValueSource(option) === 'cli';
    if (inputs.length > 0) throw new UsageError(`expected no input with --bigquery, got ${inputs.join(' ')}`);
    if (out !== undefined || rejects !== undefined || isOfFiles('rowsPerFile') || isOfFiles('region'))
      throw new UsageError(
        'expected no --out, --rejects, --rows-per-file and --region with --bigquery: it writes no file',
      );
  }
  if (inputs.filter((input) => input === STANDARD_INPUT).length > 1)
    throw new UsageError('expected - once, got it twice: standard input has one end');
}

const PROJECT = /^([a-z][a-z0-9.-]{0,61}:)?[a-z][a-z0-9-]{1,61}$/;
const INSTANCE = /^[a-z][a-z0-9-]{1,61}$/;

/** Throws a UsageError without both. A local cloud is no default: other engines do not reach it. */
function findDestination({ region, ...flags }: Flags): Destination {
  const project = flags.project ?? process.env.EARSHOT_PROJECT;
  const instance = flags.instance ?? process.env.EARSHOT_INSTANCE;
  if (project === undefined || instance === undefined)
    throw new UsageError(
      'no Bigtable instance: pass --project and --instance, or set EARSHOT_PROJECT and EARSHOT_INSTANCE; the output names them',
    );
  if (!PROJECT.test(project)) throw new UsageError(`expected the id of a project, got ${JSON.stringify(project)}`);
  if (!INSTANCE.test(instance)) throw new UsageError(`expected the id of an instance, got ${JSON.stringify(instance)}`);
  return { project, instance, region };
}

const DEFAULT_ROWS = 500_000;
const MAX_ROWS = 100_000_000;

function parseRows(text: string): number {
  const count = Number(text);
  if (/^[1-9]\d{0,8}$/.test(text) && count <= MAX_ROWS) return count;
  throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_ROWS}, got ${JSON.stringify(text)}`);
}

const DEFAULT_REGION = 'europe-west1';

function parseRegion(text: string): string {
  if (/^[a-z]{2,20}-[a-z]{2,20}\d{1,2}$/.test(text)) return text;
  throw new InvalidArgumentError(`expected a region like ${DEFAULT_REGION}, got ${JSON.stringify(text)}`);
}

function parseSource(text: string): Table {
  const table = parseTable(text);
  if (table !== undefined) return table;
  throw new InvalidArgumentError(`expected PROJECT.DATASET.TABLE, got ${JSON.stringify(text)}`);
}
