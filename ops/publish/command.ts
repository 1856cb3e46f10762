// `earshot publish`: makes a loaded generation live. It refuses a generation that is incomplete, or has not reached
// every region.
import { Command } from 'commander';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { readManifest, replaceManifest } from '../../origin/bigtable/manifest-row.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import { type Manifest, manifestSchema } from '../../shared/domain/manifest.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { listLoads, type RecordedLoad } from '../bigtable/load-receipt.ts';
import { waitForReplication } from '../bigtable/replication.ts';
import { LIST_VERSIONS } from '../bigtable/tables.ts';
import { generationOption, parseDuration, parseWeight, surfaceOption, variantOption } from '../cli/arguments.ts';
import { formatPlural } from '../cli/format.ts';
import { type ConnectionFlags, withConnection } from '../cli/settings.ts';
import { describeSurface } from '../manifest/describe-surface.ts';
import { newestKept } from './allowed-generations.ts';
import { canRamp, type Publication, publishGeneration, whyNotPublish } from './publish-generation.ts';

interface Flags extends ConnectionFlags {
  readonly surface: string;
  readonly variant: string;
  readonly generation?: number;
  readonly weight?: number;
  readonly ramp?: number;
  readonly wait: number;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

const examples = `
The edge takes a publication up within about 10 s. To see the live generations: earshot manifest show

Examples:
  $ earshot publish --surface home --variant control
  $ earshot publish --surface home --variant knn --weight 1000 --generation 2026-11-22T03:00:00Z
  $ earshot publish --surface home --variant control --ramp 10m --dry-run`;

export const makePublishCommand = (): Command =>
  new Command('publish')
    .addOption(surfaceOption().makeOptionMandatory())
    .addOption(variantOption().makeOptionMandatory())
    .addOption(generationOption('generation to publish (default: the newest loaded one)'))
    .option(
      '--weight <0..10000>',
      "its share of the listeners is this over the sum of the surface's weights (default: as it is; 10000 for the first variant, 0 for a later one)",
      parseWeight,
    )
    .option(
      '--ramp <duration>',
      'move listeners from the previous generation over this time, for example 10m',
      parseDuration,
    )
    .option('--wait <duration>', 'maximum wait for the lists to reach every region', parseDuration, 600_000)
    .option('--force', 'publish even during a flip of this variant')
    .option('--dry-run', 'print the change without making it')
    .addHelpText('after', examples)
    .action(async (_options: unknown, command: Command) => publish(command.optsWithGlobals()));

const TIMEOUT_MS = 10_000;
const MAX_ATTEMPTS = 5;

async function publish(flags: Flags): Promise<void> {
  await withConnection(flags, async (bigtable) => {
    const { surface, variant, weight, ramp: rampMs } = flags;
    const loads = await listLoads(bigtable, APP_PROFILES.control, { surface, variant });
    const { generation, rejected } = chooseLoad(loads, flags);
    if (rejected > 0) process.stderr.write(`note: ${formatPlural(rejected, 'line')} of this load were rejected\n`);
    if (!flags.dryRun) {
      await waitForReplication(bigtable, TABLES.recommendations, { clock: systemClock, timeoutMs: flags.wait });
    }
    await replace(bigtable, { surface, variant, generation, weight, rampMs }, flags);
  });
}

/** Repeats read, change and compare-and-set until no other writer interferes. */
async function replace(bigtable: BigtableConnection, publication: Publication, flags: Flags): Promise<void> {
  const name = `${publication.surface}/${publication.variant} ${formatGeneration(publication.generation)}`;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const read = await readManifest(bigtable, APP_PROFILES.control, TIMEOUT_MS);
    const nowMs = systemClock.now();
    const reason = flags.force ? undefined : whyNotPublish(read.manifest, publication, nowMs);
    if (reason !== undefined) throw new Error(`${reason} (--force publishes anyway)`);
    const next = publishGeneration(read.manifest, publication, nowMs);
    if (next === read.manifest) {
      process.stdout.write(`${name} is live already: no change (version ${next.version})\n`);
      return;
    }
    requireValid(next);
    const isDone =
      flags.dryRun ||
      (await replaceManifest(bigtable, APP_PROFILES.control, { read, next, nowMs, timeoutMs: TIMEOUT_MS }));
    if (!isDone) continue;
    if (publication.rampMs !== undefined && !canRamp(read.manifest, publication)) {
      process.stderr.write('note: --ramp has no effect: no other generation of this variant is live\n');
    }
    process.stdout.write(`${name} ${flags.dryRun ? 'would be' : 'is'} live (version ${next.version})\n`);
    const surface = next.surfaces[publication.surface];
    if (surface !== undefined) process.stdout.write(describeSurface(publication.surface, surface, nowMs));
    return;
  }
  throw new Error(
    `other writers changed the manifest ${MAX_ATTEMPTS} times in a row; nothing was published: try again`,
  );
}

/** Throws an Error for a manifest that readers would refuse. A dry run reports it, too. */
function requireValid(manifest: Manifest): void {
  const issue = manifestSchema.safeParse(manifest).error?.issues[0];
  if (issue !== undefined) throw new Error(`nothing was published: ${issue.path.join('.')}: ${issue.message}`);
}

/** The load to publish: the requested one, or the newest complete one. */
function chooseLoad(loads: readonly RecordedLoad[], { surface, variant, generation }: Flags): RecordedLoad {
  const whole = loads.filter(({ state }) => state === 'loaded');
  const load = generation === undefined ? whole.at(-1) : loads.find((each) => each.generation === generation);
  const expected = `expected a generation of ${surface}/${variant} that was loaded, got`;
  if (load === undefined) {
    const known = whole.length === 0 ? 'none was' : `known are ${whole.slice(-5).map(momentOf).join(', ')}`;
    throw new Error(
      generation === undefined
        ? `${expected} none; load one with \`earshot ingest\``
        : `${expected} ${formatGeneration(generation)}, which was never loaded (${known})`,
    );
  }
  if (load.state !== 'loaded')
    throw new Error(`${expected} ${momentOf(load)}, whose load did not finish; load it again`);
  const kept = newestKept(loads.map((each) => each.generation));
  if (kept.includes(load.generation)) return load;
  throw new Error(`${expected} ${momentOf(load)}, which is no longer kept: only the newest ${LIST_VERSIONS} are`);
}

const momentOf = ({ generation }: RecordedLoad): string => formatGeneration(generation);
