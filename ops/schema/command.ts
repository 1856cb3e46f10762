// `earshot schema apply`: creates or updates the tables and app profiles.
import { Command, InvalidArgumentError } from 'commander';
import { DEFAULT_LIST_MAX_AGE_DAYS, MAX_LIST_MAX_AGE_DAYS } from '../../shared/domain/list.ts';
import { applySchema } from '../bigtable/schema.ts';
import { makeRetries } from '../cli/control.ts';
import { type ConnectionFlags, findLocalCloud, parseClusters, withConnection } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';

interface Flags extends ConnectionFlags {
  readonly clusters?: string;
  readonly listMaxAgeDays?: number;
  readonly dryRun?: boolean;
}

export const makeSchemaCommand = (): Command =>
  new Command('schema').addCommand(
    new Command('apply')
      .description(
        'Creates or updates the tables, their garbage collection and the app profiles. Applying twice changes nothing.',
      )
      .option(
        '--clusters <region=cluster,...>',
        'cluster of each region; the first one takes the writes (or EARSHOT_CLUSTERS)',
      )
      .option(
        '--list-max-age-days <days>',
        `lists of older generations are collected (or EARSHOT_LIST_MAX_AGE_DAYS; default: ${DEFAULT_LIST_MAX_AGE_DAYS})`,
        parseDays,
      )
      .option('--dry-run', 'print the steps without taking them')
      .addHelpText(
        'after',
        '\nExample:\n  $ npx earshot schema apply --clusters asia=recs-asia,europe=recs-eu,us=recs-us --dry-run',
      )
      .action(async (_options: unknown, command: Command) => apply(command.optsWithGlobals())),
  );

async function apply(flags: Flags): Promise<void> {
  const clusters = resolveClusters(flags.clusters);
  const listMaxAgeDays = resolveListMaxAgeDays(flags.listMaxAgeDays);
  const dryRun = flags.dryRun ?? false;
  const retries = makeRetries();
  await confirmWrite(flags);
  await withConnection(flags, (bigtable) =>
    applySchema(bigtable, { clusters, dryRun, listMaxAgeDays, retries }, ({ what, done, why }) => {
      const would = dryRun && (done === 'created' || done === 'updated') ? 'would be ' : '';
      process.stdout.write(`${what}: ${would}${done}${why === undefined ? '' : `, ${why}`}\n`);
    }),
  );
}

function resolveClusters(flag: string | undefined): Record<string, string> {
  const text = flag ?? process.env.EARSHOT_CLUSTERS;
  const clusters = text === undefined ? findLocalCloud()?.clusters : parseClusters(text);
  if (clusters === undefined) throw new UsageError('no clusters: pass --clusters, or set EARSHOT_CLUSTERS');
  return clusters;
}

/** The origins read the same variable, so that reads and garbage collection agree. */
function resolveListMaxAgeDays(flag: number | undefined): number {
  const text = process.env.EARSHOT_LIST_MAX_AGE_DAYS;
  if (flag !== undefined || text === undefined) return flag ?? DEFAULT_LIST_MAX_AGE_DAYS;
  const days = toDays(text);
  if (days === undefined)
    throw new UsageError(`expected EARSHOT_LIST_MAX_AGE_DAYS to be ${DAYS_FORM}, got ${JSON.stringify(text)}`);
  return days;
}

function parseDays(text: string): number {
  const days = toDays(text);
  if (days === undefined) throw new InvalidArgumentError(`expected ${DAYS_FORM}.`);
  return days;
}

const DAYS_FORM = `a whole number from 1 to ${MAX_LIST_MAX_AGE_DAYS}`;

const toDays = (text: string): number | undefined =>
  /^[1-9]\d{0,3}$/.test(text) && Number(text) <= MAX_LIST_MAX_AGE_DAYS ? Number(text) : undefined;
