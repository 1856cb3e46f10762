// `earshot schema apply`: creates or updates the tables and app profiles.
import { Command } from 'commander';
import { applySchema } from '../bigtable/schema/schema.ts';
import { makeRetries } from '../cli/control.ts';
import { listMaxAgeOption, resolveListMaxAgeDays } from '../cli/list-max-age.ts';
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
      .addOption(listMaxAgeOption())
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
