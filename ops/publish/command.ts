// `earshot publish`: makes a loaded release live: replication, gate, and if asked a warm-up, a canary and a ramp.
import { Command, Option } from 'commander';
import { isItems, type Line, nameLine, nameRelease, type Release } from '../../shared/domain/release.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { newestKept, versionsOf } from '../bigtable/kept-generations.ts';
import { beginOpen, type HeldOpen, type Plan, planSchema, resumeOpen } from '../bigtable/open-release.ts';
import { hasLists, listReleases } from '../bigtable/release-record.ts';
import {
  asOption,
  dryRunOption,
  parseDuration,
  parseMoment,
  parseNames,
  parseShare,
  parseWeight,
  whyOption,
} from '../cli/arguments.ts';
import { controlProfileOption, withControl } from '../cli/control.ts';
import { formatPlural } from '../cli/format.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { requireWritable } from '../manifest/change-manifest.ts';
import { describeSurface } from '../manifest/describe-surface.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { findEdge } from '../release/edge-sample.ts';
import { checkItems } from '../release/gate/check-items.ts';
import { checkRelease } from '../release/gate/check-release.ts';
import { readRegions } from '../release/gate/serving-regions.ts';
import { type PublicationDeps, readLive } from '../release/live.ts';
import { findVariant, goLive, goLiveWithItems, whyBusy } from '../release/manifest-changes.ts';
import { runPublication } from '../release/publication.ts';
import { stateOfRelease } from '../release/state.ts';
import { repairRecords, requireLoaded } from '../release/steps.ts';
import { runVerdictCommand } from '../release/verdict-command.ts';
import { whoIs } from '../release/who.ts';
import { checkFlags, type Flags, parseNamed, planOf } from './flags.ts';
import { createProgressLine } from './progress-line.ts';

const examples = `
Without options: the lists reach every region, the gate compares them with the live release, and they go live.
The command ends with the last step. If it is killed, what is live goes on safely, and --resume goes on with it.
Exit codes: 0 live, 1 failed, 2 usage, 3 refused by the gate, 4 the canary went back, 5 too few users to judge.

Examples:
  $ npx earshot publish home/control@2026-11-22T03:00:00Z
  $ npx earshot publish home/control@2026-11-22T03:00:00Z --canary 0.5% --soak 4m --ramp 10m
  $ npx earshot publish home/control@2026-11-22T03:00:00Z --warm 10m --regions europe,us,asia --between 10m --ramp auto
  $ npx earshot publish home/control --resume`;

const parseRamp = (text: string): number | 'auto' => (text === 'auto' ? text : parseDuration(text));

const collect = (text: string, all: readonly string[] = []): string[] => [...all, text];

export const makePublishCommand = (): Command =>
  new Command('publish')
    .argument('[surface/variant[@generation]]', 'the release; without a generation the newest that is loaded')
    .addOption(new Option('--surface <name>').hideHelp())
    .addOption(new Option('--variant <name>').hideHelp())
    .addOption(new Option('--generation <moment>').hideHelp())
    .option(
      '--weight <0..10000>',
      "its share of the listeners is this over the sum of the surface's weights (default: as it is; 10000 for the first variant, 0 for a later one)",
      parseWeight,
    )
    .option('--at <moment>', 'begin the ramp at this moment', parseMoment)
    .option('--warm <duration>', 'load the lists of active users into the caches before, for this long', parseDuration)
    .option('--canary <share>', 'try the release with this share of users first, for example 0.5%', parseShare)
    .option('--soak <duration>', 'duration of the canary (default: 4m)', parseDuration)
    .option('--regions <names>', 'order of the regions in which users move', parseNames)
    .option('--between <duration>', 'time between two regions', parseDuration)
    .option('--ramp <duration|auto>', 'move the users over this time; auto: as the caches turn over', parseRamp)
    .option('--wait <duration>', 'maximum wait for the lists to reach every region (default: 10m)', parseDuration)
    .option('--no-wait', 'do not wait for the lists to reach every region, for example while a cluster is gone')
    .option('--accept <check>', 'go on although this check refuses; needs --why', collect)
    .option('--check-command <command>', 'also ask this command: proceed, wait or abort')
    .option('--guard-command <command>', 'also ask this command at the end of the canary')
    .option('--again', 'publish a release that was rolled back or blocked')
    .option('--resume', 'go on with a publication whose process is gone')
    .addOption(asOption())
    .addOption(whyOption())
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', examples)
    .action(async (text: string | undefined, _options: unknown, command: Command) => {
      // Commander gives `--no-wait` a default of true.
      const isWaitGiven = command.getOptionValueSource('wait') === 'cli';
      const flags = command.optsWithGlobals<Flags>();
      const { generation, ...line } = parseNamed(text, flags);
      checkFlags({ ...flags, wait: isWaitGiven ? flags.wait : undefined });
      await publish(line, generation, { ...flags, wait: isWaitGiven ? flags.wait : undefined });
    });

async function publish(line: Line, generation: number | undefined, flags: Flags): Promise<void> {
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    // An instance without tables, and a row in trouble, are told first.
    await readLive(control);
    const by = await whoIs(flags);
    const progress = createProgressLine(process.stderr);
    const deps: PublicationDeps = {
      ...{ control, by, origins: findOrigins(flags), regions: await readRegions(control) },
      ...{ sampleEdge: findEdge(flags), check: checkRelease, runVerdictCommand },
      say: (text) => {
        progress.clear();
        process.stderr.write(`${text}\n`);
      },
      progress: progress.show,
    };
    try {
      const held = await begin(line, generation, flags, deps);
      if (held === undefined) return;
      await runPublication(held, deps);
      await report(control, held.release);
    } finally {
      progress.clear();
    }
  });
}

/** Undefined if there is nothing to do. */
async function begin(
  line: Line,
  generation: number | undefined,
  flags: Flags,
  deps: PublicationDeps,
): Promise<HeldOpen | undefined> {
  const { control, by } = deps;
  if (flags.resume) return resumeOpen(control, line, by);
  const manifest = await readLive(control);
  if (!flags.dryRun) await repairRecords(control, line, manifest, by);
  const release = { ...line, generation: generation ?? (await chooseNewest(control, line, manifest)) };
  const plan = planSchema.parse(planOf(flags));
  await requirePublishable(control, release, plan, flags, deps);
  if (flags.dryRun) {
    await describe(release, plan, deps);
    return undefined;
  }
  const live = isItems(release) ? { weight: undefined, ...manifest.items } : findVariant(manifest, release);
  if (live?.current === release.generation && (plan.weight === undefined || plan.weight === live.weight)) {
    process.stdout.write(`${nameRelease(release)} is live already: no change (version ${manifest.version})\n`);
    return undefined;
  }
  const held = await beginOpen(control, { release, by, plan });
  // Another publication may have begun and ended between the look at the manifest and now.
  const busy = whyBusy(await readLive(control), release, control.retries.clock.now());
  if (busy === undefined) return held;
  await held.close();
  throw new Error(busy);
}

/** The newest release that is loaded whole and later than the live one. */
async function chooseNewest(
  control: ControlTable,
  line: Line,
  manifest: Parameters<typeof findVariant>[0],
): Promise<number> {
  const current = (isItems(line) ? manifest.items : findVariant(manifest, line))?.current ?? 0;
  const found = (await listReleases(control, line)).findLast(
    ({ generation, state }) => generation > current && (state === 'loaded' || state === 'checked'),
  );
  if (found !== undefined) return found.generation;
  throw new Error(
    `expected a loaded release of ${nameLine(line)} that is newer than the live one, got none: load one with \`npx earshot ingest\``,
  );
}

/** Throws an Error with the reason why the release cannot be published as it is worded. */
async function requirePublishable(
  control: ControlTable,
  release: Release,
  plan: Plan,
  flags: Flags,
  { regions, say }: PublicationDeps,
): Promise<void> {
  const record = await requireLoaded(control, release);
  const manifest = await readLive(control);
  const nowMs = control.retries.clock.now();
  const all = (await listReleases(control, release)).filter(hasLists);
  const versions = versionsOf(release);
  const kept = newestKept(
    all.map((each) => each.generation),
    versions,
  );
  if (!kept.includes(release.generation))
    throw new Error(
      `expected a release that is kept, got ${nameRelease(release)}, which is no longer kept: only the newest ${versions} are`,
    );
  const state = stateOfRelease(manifest, release, record, nowMs);
  if ((state === 'rolled-back' || state === 'blocked') && !flags.again)
    throw new Error(`${nameRelease(release)} is ${state}: --again publishes it all the same`);
  if (record.rejected > 0) say(`note: ${formatPlural(record.rejected, 'line')} of this load were rejected`);
  const live = isItems(release) ? manifest.items : findVariant(manifest, release);
  const isTrial =
    plan.canary !== undefined || plan.warmMs !== undefined || plan.ramp !== undefined || plan.regions !== undefined;
  if (isItems(release) && (isTrial || plan.weight !== undefined || plan.atMs !== undefined))
    throw new Error(
      'expected no --canary, --warm, --regions, --ramp, --at or --weight with items: they go live at once',
    );
  if (isItems(release) && plan.checkCommand !== undefined)
    throw new Error('expected no --check-command with items: it is asked about lists');
  if (live === undefined && (isTrial || plan.atMs !== undefined))
    throw new Error(
      `--at, --canary, --warm, --regions and --ramp have no effect: no release of ${nameLine(release)} is live yet`,
    );
  if (live?.current === release.generation && isTrial)
    throw new Error(
      `--canary, --warm, --regions and --ramp have no effect: ${nameRelease(release)} is live; \`npx earshot ramp set ${nameLine(release)} --over\` steers its ramp`,
    );
  if (live !== undefined && release.generation < live.current)
    throw new Error(
      `expected a release later than the live ${nameRelease({ ...release, generation: live.current })}, got ${nameRelease(release)}: \`npx earshot rollback ${nameLine(release)} --to\` goes back to a published one`,
    );
  const unknown = plan.regions?.find((region) => !regions.includes(region));
  if (unknown !== undefined || (plan.regions !== undefined && new Set(plan.regions).size !== regions.length))
    throw new Error(`expected --regions to name each of ${regions.join(', ')} once, got ${plan.regions?.join(', ')}`);
  const busy = whyBusy(manifest, release, nowMs);
  if (busy !== undefined && live?.current !== release.generation) throw new Error(busy);
}

/** A dry run: the gate, and the manifest as it would be. */
async function describe(release: Release, plan: Plan, deps: PublicationDeps): Promise<void> {
  const { control, check, regions, say } = deps;
  const manifest = await readLive(control);
  const { verdict, reasons } = await (isItems(release) ? checkItems : check)(control, release, {
    manifest,
    regions,
    accepted: plan.accepted,
    why: plan.why,
    checkCommand: undefined,
  });
  say(verdict === 'passed' ? 'the gate would pass it' : `the gate would refuse it: ${reasons.join('; ')}`);
  const nowMs = control.retries.clock.now();
  const durationMs = typeof plan.ramp === 'number' ? plan.ramp : 0;
  const ramp = durationMs === 0 ? undefined : { startsAtMs: Math.max(nowMs, plan.atMs ?? 0), durationMs };
  const next = isItems(release)
    ? goLiveWithItems(manifest, release.generation)
    : goLive(manifest, release, ramp, plan.weight);
  requireWritable(next);
  process.stdout.write(`${nameRelease(release)} would be live (version ${manifest.version + 1})\n`);
  const surface = next.surfaces[release.surface];
  if (surface !== undefined) process.stdout.write(describeSurface(release.surface, surface, nowMs));
}

async function report(control: ControlTable, release: Release): Promise<void> {
  const manifest = await readLive(control);
  process.stdout.write(`${nameRelease(release)} is live (version ${manifest.version})\n`);
  const surface = manifest.surfaces[release.surface];
  if (surface !== undefined)
    process.stdout.write(describeSurface(release.surface, surface, control.retries.clock.now()));
}
