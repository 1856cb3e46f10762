// `earshot rollback`: the variant is on an earlier release at once, or its canary ends.
import { Command } from 'commander';
import { type Line, nameLine, nameRelease } from '../../shared/domain/release.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { endOpen } from '../bigtable/open-release.ts';
import { asOption, dryRunOption, parseLine, parseMoment, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { describeSurface } from '../manifest/describe-surface.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { confirmLive } from '../release/confirm.ts';
import { findEdge } from '../release/edge-sample.ts';
import { goBack, requireVariant } from '../release/manifest-changes.ts';
import { readLive } from '../release/publication.ts';
import { changeRelease, recordState, repairRecords } from '../release/steps.ts';
import { whoIs } from '../release/who.ts';

interface Flags extends ControlFlags {
  readonly to?: number;
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
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
    const live = requireVariant(before, line);
    const planned = goBack(before, line, to);
    if (planned === before) {
      process.stdout.write(`${nameLine(line)} is there already: no change (version ${before.version})\n`);
      return;
    }
    const trial = live.canary ?? live.warm;
    const left = { ...line, generation: to === undefined && trial !== undefined ? trial.generation : live.current };
    if (dryRun) {
      describe(control, `${nameRelease(left)} would be left`, line, { ...planned, version: before.version + 1 });
      return;
    }
    // The process of an open publication notices at its next step.
    const open = await endOpen(control, line);
    const { next, nowMs } = await changeRelease(control, {
      ...{
        release: left,
        to: 'rolled-back',
        by,
        why,
        what: `rollback ${nameRelease(left)}`,
        origins: findOrigins(flags),
      },
      change: (manifest) => goBack(manifest, line, to),
    });
    if (open !== undefined && open.generation !== left.generation)
      await recordState(control, { ...line, generation: open.generation }, { to: 'rolled-back', by, why });
    await repairRecords(control, line, next, by);
    describe(control, `${nameRelease(left)} is left`, line, next);
    const confirmation = { version: next.version, writtenAtMs: nowMs, exceptRegions: [], sampleEdge: findEdge(flags) };
    process.stdout.write(await confirmLive(control, confirmation));
  });
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
