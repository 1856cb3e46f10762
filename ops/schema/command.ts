// `earshot schema apply` and `check`: creates or updates the tables and app profiles, or tells how they differ.
import { Command } from 'commander';
import { applySchema, type SchemaOptions } from '../bigtable/schema/schema.ts';
import type { SchemaChange } from '../bigtable/schema/schema-change.ts';
import { makeRetries } from '../cli/control.ts';
import { formatPlural } from '../cli/format.ts';
import { listMaxAgeOption, resolveListMaxAgeDays } from '../cli/list-max-age.ts';
import { type ConnectionFlags, findLocalCloud, parseClusters, withConnection } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';

interface Flags extends ConnectionFlags {
  readonly clusters?: string;
  readonly listMaxAgeDays?: number;
  readonly dryRun?: boolean;
  readonly allowDestructive?: boolean;
}

export const makeSchemaCommand = (): Command =>
  new Command('schema')
    .addCommand(
      withSettings('apply')
        .description(
          'Creates or updates the tables, their garbage collection and the app profiles. Applying twice changes nothing.',
        )
        .option('--dry-run', 'print the steps without taking them')
        .option(
          '--allow-destructive',
          'also stricter garbage collection, and drop families and app profiles that are not ours',
        )
        .addHelpText(
          'after',
          '\nExample:\n  $ npx earshot schema apply --clusters asia=recs-asia,europe=recs-eu,us=recs-us --dry-run',
        )
        .action(async (_options: unknown, command: Command) => apply(command.optsWithGlobals())),
    )
    .addCommand(
      withSettings('check')
        .description(
          'Prints each difference of the tables and app profiles, and ends with exit code 1. Writes nothing.',
        )
        .addHelpText(
          'after',
          '\nExample:\n  $ npx earshot schema check --clusters asia=recs-asia,europe=recs-eu,us=recs-us',
        )
        .action(async (_options: unknown, command: Command) => check(command.optsWithGlobals())),
    );

const withSettings = (name: string): Command =>
  new Command(name)
    .option(
      '--clusters <region=cluster,...>',
      'cluster of each region; the first one takes the writes (or EARSHOT_CLUSTERS)',
    )
    .addOption(listMaxAgeOption());

async function apply(flags: Flags): Promise<void> {
  const { dryRun = false, allowDestructive = false } = flags;
  const settings = resolveSettings(flags);
  await confirmWrite(flags);
  await withConnection(flags, (bigtable) =>
    applySchema(bigtable, { ...settings, dryRun, allowDestructive, retries: makeRetries() }, (change) =>
      process.stdout.write(`${describeStep(change, dryRun)}\n`),
    ),
  );
}

function describeStep({ what, done, was, why }: SchemaChange, dryRun: boolean): string {
  const isStep = done === 'created' || done === 'updated' || done === 'dropped';
  const outcome = done === 'foreign' ? 'left' : `${dryRun && isStep ? 'would be ' : ''}${done}`;
  return [
    `${what}: ${outcome}`,
    ...(was === undefined ? [] : [`was ${was}`]),
    ...(why === undefined ? [] : [why]),
  ].join(', ');
}

async function check(flags: Flags): Promise<void> {
  const settings = resolveSettings(flags);
  const retries = makeRetries();
  const differing: SchemaChange[] = [];
  let same = 0;
  await withConnection(flags, (bigtable) =>
    applySchema(bigtable, { ...settings, dryRun: true, retries }, (change) => {
      const { what, done, was = 'none', why } = change;
      const reason = why === undefined ? '' : `: ${why}`;
      if (done === 'unchanged') same++;
      else if (done === 'foreign' || done === 'skipped') process.stderr.write(`note: ${what}${reason}\n`);
      else {
        differing.push(change);
        process.stdout.write(`expected ${what}, got ${was}${reason}\n`);
      }
    }),
  );
  if (differing.length > 0) {
    const needsFlag = differing.some(({ done }) => done === 'left') ? ', or says what it leaves' : '';
    throw new Error(
      `${formatPlural(differing.length, 'difference')}: \`npx earshot schema apply\` sets the schema right${needsFlag}`,
    );
  }
  process.stdout.write(`no difference: ${same} tables and app profiles are as they should be\n`);
}

/** Throws a UsageError. */
function resolveSettings(flags: Flags): Pick<SchemaOptions, 'clusters' | 'listMaxAgeDays'> {
  const text = flags.clusters ?? process.env.EARSHOT_CLUSTERS;
  const clusters = text === undefined ? findLocalCloud()?.clusters : parseClusters(text);
  if (clusters === undefined) throw new UsageError('no clusters: pass --clusters, or set EARSHOT_CLUSTERS');
  return { clusters, listMaxAgeDays: resolveListMaxAgeDays(flags.listMaxAgeDays) };
}
