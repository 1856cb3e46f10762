// `earshot publish`: makes a loaded generation live. It refuses a generation that is incomplete, or has not reached
// every region.
import { Command } from 'commander';
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Name } from '../../shared/domain/ids.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { newestKept } from '../bigtable/kept-generations.ts';
import { listLoads, nameLoad, type RecordedLoad } from '../bigtable/load-receipt.ts';
import { liveManifest, readManifestRow } from '../bigtable/manifest-row.ts';
import { waitForReplication } from '../bigtable/replication.ts';
import { LIST_VERSIONS } from '../bigtable/tables.ts';
import {
  dryRunOption,
  generationOption,
  parseDuration,
  parseWeight,
  surfaceOption,
  variantOption,
  whyOption,
} from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatPlural } from '../cli/format.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeManifest, reportServed } from '../manifest/change-manifest.ts';
import { describeSurface } from '../manifest/describe-surface.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { type Publication, publishGeneration, whyImpossible, whyNotPublish } from './publish-generation.ts';

interface Flags extends ControlFlags {
  readonly surface: Name;
  readonly variant: Name;
  readonly generation?: number;
  readonly weight?: number;
  readonly ramp?: number;
  /** False: do not wait. */
  readonly wait?: number | false | undefined;
  readonly why?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

const DEFAULT_WAIT_MS = 600_000;

const examples = `
Only the named generation goes live. To go back, name the generation before: \`npx earshot manifest show\` has it.
During a ramp, the same generation with another --ramp changes its duration; 0s ends it.
The edge takes a publication up within about 10 s.

Examples:
  $ npx earshot publish --surface home --variant control --generation 2026-11-22T03:00:00Z
  $ npx earshot publish --surface home --variant knn --weight 1000 --generation 2026-11-22T03:00:00Z
  $ npx earshot publish --surface home --variant control --generation 2026-11-22T03:00:00Z --ramp 10m --dry-run`;

export const makePublishCommand = (): Command =>
  new Command('publish')
    .addOption(surfaceOption().makeOptionMandatory())
    .addOption(variantOption().makeOptionMandatory())
    .addOption(generationOption('generation to publish, as `npx earshot ingest` printed it'))
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
    .option('--wait <duration>', 'maximum wait for the lists to reach every region (default: 10m)', parseDuration)
    .option('--no-wait', 'do not wait for the lists to reach every region, for example while a cluster is gone')
    .option('--force', 'publish even during a flip of this variant')
    .addOption(whyOption())
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', examples)
    .action(async (_options: unknown, command: Command) => {
      // Commander gives `--no-wait` a default of true.
      const isWaitGiven = command.getOptionValueSource('wait') === 'cli';
      const flags = command.optsWithGlobals<Flags>();
      await publish({ ...flags, wait: isWaitGiven ? flags.wait : undefined });
    });

async function publish(flags: Flags): Promise<void> {
  if (flags.dryRun && flags.wait !== undefined)
    throw new UsageError('expected no --wait with --dry-run: a dry run does not wait for the lists');
  const { surface, variant, weight, ramp: rampMs } = flags;
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const { generation, rejected } = chooseLoad(await listLoads(control, { surface, variant }), flags);
    if (rejected > 0) process.stderr.write(`note: ${formatPlural(rejected, 'line')} of this load were rejected\n`);
    const publication: Publication = { surface, variant, generation, weight, rampMs };
    if (!flags.dryRun) await waitForLists(control, publication, flags);
    await replace(control, publication, flags);
  });
}

/** The live generation and the one before have reached every region when they were published. */
async function waitForLists(control: ControlTable, publication: Publication, { wait }: Flags): Promise<void> {
  if (wait === false) {
    process.stderr.write('note: regions without these lists serve older ones until the lists arrive, and cache them\n');
    return;
  }
  const { surface, variant, generation } = publication;
  const live = liveManifest(await readManifestRow(control, 1))?.surfaces[surface]?.variants.find(
    ({ name }) => name === variant,
  );
  if (wait === undefined && (generation === live?.current || generation === live?.previous)) return;
  const { retries } = control;
  const timeoutMs = wait ?? DEFAULT_WAIT_MS;
  await waitForReplication(control.bigtable, TABLES.recommendations, { clock: retries.clock, timeoutMs, retries });
}

async function replace(control: ControlTable, publication: Publication, flags: Flags): Promise<void> {
  const { force, why, dryRun = false } = flags;
  const name = nameLoad(publication);
  const origins = findOrigins(flags);
  const what = `publish ${name}${flags.weight === undefined ? '' : `, weight ${flags.weight}`}`;
  const change = (live: Manifest, nowMs: number): Manifest => {
    const impossible = whyImpossible(live, publication, nowMs);
    if (impossible !== undefined) throw new Error(impossible);
    const reason = force ? undefined : whyNotPublish(live, publication, nowMs);
    if (reason !== undefined) throw new Error(`${reason} (--force publishes anyway)`);
    return publishGeneration(live, publication, nowMs);
  };
  const { before, next, nowMs } = await changeManifest(control, { what, why, dryRun, origins, change });
  if (next === before) {
    process.stdout.write(`${name} is live already: no change (version ${next.version})\n`);
    return;
  }
  process.stdout.write(`${name} ${dryRun ? 'would be' : 'is'} live (version ${next.version})\n`);
  const surface = next.surfaces[publication.surface];
  if (surface !== undefined) process.stdout.write(describeSurface(publication.surface, surface, nowMs));
  if (!dryRun) await reportServed(control, origins, next.version);
}

/** The named load. Throws an Error that names those that are complete. */
function chooseLoad(loads: readonly RecordedLoad[], { surface, variant, generation }: Flags): RecordedLoad {
  const whole = loads.filter(({ state }) => state === 'loaded');
  const expected = `expected a generation of ${surface}/${variant} that was loaded, got`;
  if (whole.length === 0 && generation === undefined)
    throw new Error(`${expected} none; load one with \`npx earshot ingest\``);
  const known = whole.length === 0 ? 'none was' : `known are ${whole.slice(-5).map(momentOf).join(', ')}`;
  if (generation === undefined)
    throw new UsageError(`expected --generation with the generation to publish, got none (${known})`);
  const load = loads.find((each) => each.generation === generation);
  if (load === undefined)
    throw new Error(`${expected} ${formatGeneration(generation)}, which was never loaded (${known})`);
  if (load.state !== 'loaded')
    throw new Error(`${expected} ${momentOf(load)}, whose load did not finish; load it again`);
  if (newestKept(loads.map((each) => each.generation)).includes(load.generation)) return load;
  throw new Error(`${expected} ${momentOf(load)}, which is no longer kept: only the newest ${LIST_VERSIONS} are`);
}

const momentOf = ({ generation }: RecordedLoad): string => formatGeneration(generation);
