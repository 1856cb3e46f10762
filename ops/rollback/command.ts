// `earshot rollback`: the variant is on an earlier release at once, or its canary ends.
import { Command } from 'commander';
import type { Manifest, Variant } from '../../shared/domain/manifest.ts';
import { isItems, type Line, nameRelease, type Release } from '../../shared/domain/release.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { versionsOf } from '../bigtable/kept-generations.ts';
import { endOpen, type OpenRelease, readOpen } from '../bigtable/open-release.ts';
import { listReleases } from '../bigtable/release-record.ts';
import { asOption, dryRunOption, parseLine, parseMoment, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { describeSurface } from '../manifest/describe-surface.ts';
import { whyMissing } from '../manifest/existing-generations.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { confirmLive } from '../release/confirm.ts';
import { findEdge } from '../release/edge-sample.ts';
import { readLive } from '../release/live.ts';
import { endTrial, findVariant, goBack, goBackWithItems, leave, requireVariant } from '../release/manifest-changes.ts';
import { changeRelease, recordState, repairRecords } from '../release/steps.ts';
import { whoIs } from '../release/who.ts';

interface Flags extends ControlFlags {
  readonly to?: number;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

const help = `
Without --to the variant goes back to the release before, or out of its canary. An open publication of the variant
ends. The release that was left is no fallback any more, and is published again only with --again.

Examples:
  $ npx earshot rollback home/control --why "lists of yesterday's users"
  $ npx earshot rollback home/control --to 2026-11-22T03:00:00Z --why "the last good day"`;

export const makeRollbackCommand = (): Command =>
  new Command('rollback')
    .argument('<surface/variant>', 'for example `home/control`', parseLine)
    .option('--to <moment>', 'a published release before the live one (default: the one before)', parseMoment)
    .option('--force', 'go back although Bigtable does not keep the lists')
    .addOption(asOption())
    .addOption(whyOption().makeOptionMandatory())
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', help)
    .action(async (line: Line, _options: unknown, command: Command) => rollBack(line, command.optsWithGlobals()));

async function rollBack(line: Line, flags: Flags): Promise<void> {
  const { to, why = '', dryRun } = flags;
  if (why.trim() === '') throw new UsageError('expected --why to have the reason, got an empty text');
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const by = await whoIs(flags);
    const before = await readLive(control);
    const open = await readOpen(control, line);
    const { left, back, isTrial } = plan(line, before, open, to);
    const planned = back(before);
    if (!isTrial && flags.force !== true) await requireLists(control, line, planned);
    if (planned === before && !isTrial) {
      process.stdout.write(`${nameRelease(left)} is live already: no change (version ${before.version})\n`);
      return;
    }
    if (dryRun) {
      describe(control, `${nameRelease(left)} would be left`, line, { ...planned, version: before.version + 1 });
      return;
    }
    // The process of an open publication notices at its next step.
    const ended = await endOpen(control, line);
    const { next, nowMs } = await changeRelease(control, {
      ...{
        release: left,
        to: 'rolled-back',
        by,
        why,
        what: `rollback ${nameRelease(left)}`,
        origins: findOrigins(flags),
      },
      // The publication may have gone live since the first look.
      change: (current) => (isTrial ? leaveTrial(current, left) : back(current)),
    });
    if (ended !== undefined && ended.generation !== left.generation)
      await recordState(control, { ...line, generation: ended.generation }, { to: 'rolled-back', by, why });
    await repairRecords(control, line, next, by);
    describe(control, `${nameRelease(left)} is left`, line, next);
    const confirmation = { version: next.version, writtenAtMs: nowMs, exceptRegions: [], sampleEdge: findEdge(flags) };
    process.stdout.write(await confirmLive(control, confirmation));
  });
}

/**
 * The release that is left, and the change. Without `to` a canary, a warm-up, or a publication that is not live yet
 * ends, and the live release stays.
 */
function plan(line: Line, manifest: Manifest, open: OpenRelease | undefined, to: number | undefined) {
  const { items } = manifest;
  const live = isItems(line) ? items && { current: items.current } : requireVariant(manifest, line);
  if (live === undefined) throw new Error('expected a live release of the items, got none');
  const { canary, warm } = live as Partial<Variant>;
  const isTrialOpen = open !== undefined && open.generation !== live.current;
  const trial = (canary ?? warm)?.generation ?? (isTrialOpen ? open.generation : undefined);
  const isTrial = to === undefined && trial !== undefined;
  const back = (current: Manifest): Manifest => {
    if (isTrial) return isItems(line) ? current : endTrial(current, line);
    return isItems(line) ? goBackWithItems(current, to) : goBack(current, line, to);
  };
  return { left: { ...line, generation: isTrial ? trial : live.current }, back, isTrial };
}

/** The trial ends. A release that has gone live meanwhile is left. */
function leaveTrial(current: Manifest, left: Release): Manifest {
  const live = isItems(left) ? current.items : findVariant(current, left);
  if (live?.current === left.generation) return leave(current, left);
  return isItems(left) ? current : endTrial(current, left);
}

/** Throws an Error if Bigtable does not keep the lists of the release that would be live. */
async function requireLists(control: ControlTable, line: Line, planned: Manifest): Promise<void> {
  const target = (isItems(line) ? planned.items : findVariant(planned, line))?.current;
  const reason =
    target === undefined ? undefined : whyMissing(target, await listReleases(control, line), versionsOf(line));
  if (target === undefined || reason === undefined) return;
  throw new Error(
    `${nameRelease({ ...line, generation: target })} ${reason}: no user would have a list of it (--force goes back all the same)`,
  );
}

function describe(
  control: ControlTable,
  done: string,
  { surface: name }: Line,
  manifest: Awaited<ReturnType<typeof readLive>>,
): void {
  process.stdout.write(`${done} (version ${manifest.version})\n`);
  const surface = manifest.surfaces[name];
  if (surface !== undefined) process.stdout.write(describeSurface(name, surface, control.retries.clock.now()));
}
