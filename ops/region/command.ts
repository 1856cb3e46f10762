// `earshot region`: marks a region that is out. Publications do not wait for it, and edges try it last.
import { Command } from 'commander';
import type { Name } from '../../shared/domain/ids.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { waitForReplication } from '../bigtable/replication.ts';
import { asOption, parseDuration, parseMoment, parseName, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeManifest } from '../manifest/change-manifest.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { confirmLive } from '../release/confirm.ts';
import { findEdge } from '../release/edge-sample.ts';
import { readRegions } from '../release/gate/serving-regions.ts';
import { findLaggingReleases } from '../release/lagging.ts';
import { readLive } from '../release/live.ts';
import { whoIs } from '../release/who.ts';

interface Flags extends ControlFlags {
  readonly until?: number;
  readonly wait?: number;
  readonly why?: string;
  readonly as?: string;
  readonly force?: boolean;
}

const DEFAULT_WAIT_MS = 600_000;
const MAX_MARK_MS = 7 * 86_400_000;

/** An example for the help of a subcommand. */
const example = (call: string): string => `\nExample:\n  $ npx earshot region ${call}`;

export const makeRegionCommand = (): Command =>
  new Command('region')
    .addCommand(
      new Command('degrade')
        .description('Publications do not wait for the region, edges try it last and do not warm it, until the moment.')
        .argument('<region>', 'for example `europe`', parseName)
        .requiredOption('--until <moment>', 'when the mark ends by itself, at most 7 days from now', parseMoment)
        .addOption(asOption())
        .addOption(whyOption().makeOptionMandatory())
        .addOption(controlProfileOption())
        .addHelpText('after', example('degrade europe --until 2026-11-22T06:00:00Z --why "the cluster is gone"'))
        .action(async (region: Name, _options: unknown, own: Command) => degrade(region, own.optsWithGlobals())),
    )
    .addCommand(
      new Command('restore')
        .description('The region takes traffic again, once it has all writes and the live releases.')
        .argument('<region>', 'for example `europe`', parseName)
        .option('--wait <duration>', 'maximum wait for its replication (default: 10m)', parseDuration)
        .option('--force', 'restore it although it lags')
        .addOption(asOption())
        .addOption(whyOption())
        .addOption(controlProfileOption())
        .addHelpText('after', example('restore europe --why "the cluster is back"'))
        .action(async (region: Name, _options: unknown, own: Command) => restore(region, own.optsWithGlobals())),
    );

async function degrade(region: Name, flags: Flags): Promise<void> {
  const { until = 0, why = '' } = flags;
  if (why.trim() === '') throw new UsageError('expected --why to have the reason, got an empty text');
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    await requireRegion(control, region);
    const nowMs = control.retries.clock.now();
    if (until <= nowMs || until > nowMs + MAX_MARK_MS)
      throw new UsageError(`expected --until to be within 7 days from now, got ${new Date(until).toISOString()}`);
    await change(control, region, flags, `region degrade ${region}`, (manifest) => ({
      ...manifest,
      regions: { ...manifest.regions, [region]: { degradedUntilMs: until, why } },
    }));
    process.stdout.write(`${region} is marked as degraded until ${new Date(until).toISOString()}\n`);
  });
}

async function restore(region: Name, flags: Flags): Promise<void> {
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    await requireRegion(control, region);
    if (!flags.force) await requireCaughtUp(control, region, flags.wait ?? DEFAULT_WAIT_MS);
    await change(control, region, flags, `region restore ${region}`, (manifest) => {
      const { [region]: mark, ...others } = manifest.regions ?? {};
      return mark === undefined ? manifest : { ...manifest, regions: others };
    });
    process.stdout.write(`${region} takes traffic again\n`);
  });
}

/** Throws an Error if replication has not arrived, or if the cluster lacks lists of a live release. */
async function requireCaughtUp(control: ControlTable, region: Name, timeoutMs: number): Promise<void> {
  const { retries, bigtable } = control;
  for (const table of ['control', 'recommendations', 'items'])
    await waitForReplication(bigtable, table, { clock: retries.clock, timeoutMs, retries });
  const lagging = await findLaggingReleases(control, await readLive(control), region);
  if (lagging.length > 0)
    throw new Error(`${region} has not caught up: ${lagging.join('; ')} (--force restores it anyway)`);
}

async function requireRegion(control: ControlTable, region: Name): Promise<void> {
  const known = await readRegions(control);
  if (!known.includes(region)) throw new Error(`expected one of the regions ${known.join(', ')}, got ${region}`);
}

async function change(
  control: ControlTable,
  region: Name,
  flags: Flags,
  what: string,
  changeMarks: (manifest: Manifest) => Manifest,
): Promise<void> {
  const { before, next, nowMs } = await changeManifest(control, {
    ...{ what, why: flags.why, by: await whoIs(flags), dryRun: false, origins: findOrigins(flags) },
    change: changeMarks,
  });
  if (next === before) return;
  const confirmation = {
    version: next.version,
    writtenAtMs: nowMs,
    exceptRegions: [region],
    sampleEdge: findEdge(flags),
  };
  process.stdout.write(await confirmLive(control, confirmation));
}
