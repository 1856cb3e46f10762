// `earshot publish`: makes a loaded generation live. It never publishes what was not wholly loaded or has not reached every region.
import { Command } from 'commander';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { type Load, listLoads, readLoadReceipt } from '../../origin/bigtable/load-receipt.ts';
import { readManifest, replaceManifest } from '../../origin/bigtable/manifest-row.ts';
import { waitForReplication } from '../../origin/bigtable/replication.ts';
import { systemClock } from '../../shared/clock.ts';
import { formatGeneration } from '../../shared/generation.ts';
import { TABLES } from '../../shared/keys.ts';
import { generationOption, parseDuration, parseWeight, surfaceOption, variantOption } from '../arguments.ts';
import { formatPlural } from '../format.ts';
import { type Publication, publishGeneration } from '../publish-generation.ts';
import { type ConnectionFlags, withConnection } from '../settings.ts';

interface Flags extends ConnectionFlags {
  readonly surface: string;
  readonly variant: string;
  readonly generation?: number;
  readonly weight?: number;
  readonly ramp?: number;
  readonly wait: number;
  readonly dryRun?: boolean;
}

const examples = `
The edge takes a publication up within about 10 s. To see what is live: earshot manifest show

Examples:
  $ earshot publish --surface home --variant control
  $ earshot publish --surface home --variant knn --weight 10% --generation 2026-11-22T03:00:00Z
  $ earshot publish --surface home --variant control --ramp 10m --dry-run`;

export const makePublishCommand = (): Command =>
  new Command('publish')
    .description('Makes a loaded generation of a variant live, once it has reached every region.')
    .addOption(surfaceOption().makeOptionMandatory())
    .addOption(variantOption().makeOptionMandatory())
    .addOption(generationOption('which generation (default: the newest that was loaded)'))
    .option(
      '--weight <weight>',
      'share of the listeners, 1000 or 10% (default: as it is; all for the first variant, none for a new one)',
      parseWeight,
    )
    .option(
      '--ramp <duration>',
      'move listeners over from the generation before during this time, 10m for example',
      parseDuration,
    )
    .option('--wait <duration>', 'how long to wait for the lists to reach every region', parseDuration, 600_000)
    .option('--dry-run', 'only say what would change')
    .addHelpText('after', examples)
    .action(async (_options: unknown, command: Command) => publish(command.optsWithGlobals()));

const TIMEOUT_MS = 10_000;
const MAX_ATTEMPTS = 5;

async function publish(flags: Flags): Promise<void> {
  await withConnection(flags, async (bigtable) => {
    const { surface, variant, weight, ramp: rampMs } = flags;
    const generation = flags.generation ?? (await newestLoad(bigtable, flags));
    await requireLoaded(bigtable, { surface, variant, generation });
    if (!flags.dryRun) {
      await waitForReplication(bigtable, TABLES.recommendations, { clock: systemClock, timeoutMs: flags.wait });
    }
    await replace(bigtable, { surface, variant, generation, weight, rampMs }, flags.dryRun ?? false);
  });
}

/** Reads, changes and compares-and-sets until no other writer came in between. */
async function replace(bigtable: BigtableConnection, publication: Publication, dryRun: boolean): Promise<void> {
  const name = `${publication.surface}/${publication.variant} ${formatGeneration(publication.generation)}`;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const read = await readManifest(bigtable, APP_PROFILES.control, TIMEOUT_MS);
    const nowMs = systemClock.now();
    const next = publishGeneration(read.manifest, publication, nowMs);
    if (next === read.manifest) {
      process.stdout.write(`${name} is live already; nothing changed (version ${next.version})\n`);
      return;
    }
    if (dryRun) {
      process.stdout.write(
        `${name} would be live with version ${next.version}:\n${JSON.stringify(next.surfaces[publication.surface], null, 2)}\n`,
      );
      return;
    }
    if (await replaceManifest(bigtable, APP_PROFILES.control, { read, next, nowMs, timeoutMs: TIMEOUT_MS })) {
      process.stdout.write(`${name} is live (version ${next.version})\n`);
      return;
    }
  }
  throw new Error(
    `the manifest was changed by others ${MAX_ATTEMPTS} times in a row; nothing was published, try again`,
  );
}

async function newestLoad(
  bigtable: BigtableConnection,
  { surface, variant }: Omit<Load, 'generation'>,
): Promise<number> {
  const newest = (await listLoads(bigtable, APP_PROFILES.control, { surface, variant })).at(-1);
  if (newest !== undefined) return newest;
  throw new Error(
    `expected a generation of ${surface}/${variant} that was loaded, got none; load one with \`earshot ingest\``,
  );
}

async function requireLoaded(bigtable: BigtableConnection, load: Load): Promise<void> {
  const receipt = await readLoadReceipt(bigtable, APP_PROFILES.control, load);
  if (receipt?.state === 'loaded') {
    if (receipt.rejected > 0)
      process.stderr.write(`note: ${formatPlural(receipt.rejected, 'line')} of this load were rejected\n`);
    return;
  }
  const { surface, variant, generation } = load;
  const loaded = await listLoads(bigtable, APP_PROFILES.control, load);
  const known = loaded.length === 0 ? 'none was' : `known are ${loaded.slice(-5).map(formatGeneration).join(', ')}`;
  const what = `expected a generation of ${surface}/${variant} that was loaded, got ${formatGeneration(generation)}`;
  throw new Error(
    receipt === undefined
      ? `${what}, which never was (${known})`
      : `${what}, whose load began but did not finish; load it again`,
  );
}
