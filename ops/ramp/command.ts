// `earshot ramp`: steers a running ramp. No user goes back.
import { Command } from 'commander';
import { type Line, nameLine } from '../../shared/domain/release.ts';
import { asOption, parseDuration, parseLine, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeManifest } from '../manifest/change-manifest.ts';
import { describeSurface } from '../manifest/describe-surface.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { confirmLive } from '../release/confirm.ts';
import { findEdge } from '../release/edge-sample.ts';
import { whoIs } from '../release/who.ts';
import { type Steering, steerRamp } from './steer-ramp.ts';

interface Flags extends ControlFlags {
  readonly over?: number;
  readonly why?: string;
  readonly as?: string;
}

const EXAMPLES = {
  pause: 'pause home/control --why "Bigtable is slow"',
  resume: 'resume home/control',
  finish: 'finish home/control',
  set: 'set home/control --over 1h',
} as const;

const DESCRIPTIONS = {
  pause: 'The ramp stands still: users stay on the release that they have.',
  resume: 'The ramp goes on from where it stood.',
  finish: 'Every user is on the new release at once.',
  set: 'The ramp takes this long in all. Users that have moved stay.',
} as const;

export function makeRampCommand(): Command {
  const ramp = new Command('ramp');
  for (const kind of ['pause', 'resume', 'finish', 'set'] as const) {
    const command = new Command(kind)
      .description(DESCRIPTIONS[kind])
      .argument('<surface/variant>', 'for example `home/control`', parseLine)
      .addOption(asOption())
      .addOption(whyOption())
      .addOption(controlProfileOption())
      .addHelpText('after', `\nExample:\n  $ npx earshot ramp ${EXAMPLES[kind]}`)
      .action(async (line: Line, _options: unknown, own: Command) => steer(kind, line, own.optsWithGlobals()));
    if (kind === 'set') command.requiredOption('--over <duration>', 'duration of the whole ramp', parseDuration);
    ramp.addCommand(command);
  }
  return ramp;
}

async function steer(kind: Steering['kind'], line: Line, flags: Flags): Promise<void> {
  const { over: overMs, why } = flags;
  if (kind === 'set' && (overMs === undefined || overMs === 0))
    throw new UsageError('expected --over with a duration above 0: `npx earshot ramp finish` ends a ramp');
  const steering: Steering = kind === 'set' ? { kind, overMs: overMs ?? 0 } : { kind };
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const { before, next, nowMs } = await changeManifest(control, {
      ...{
        what: `ramp ${kind} ${nameLine(line)}`,
        why,
        by: await whoIs(flags),
        dryRun: false,
        origins: findOrigins(flags),
      },
      change: (manifest, atMs) => steerRamp(manifest, line, steering, atMs),
    });
    const done = next === before ? 'no change' : `ramp ${kind}`;
    process.stdout.write(`${nameLine(line)}: ${done} (version ${next.version})\n`);
    const surface = next.surfaces[line.surface];
    if (surface !== undefined) process.stdout.write(describeSurface(line.surface, surface, nowMs));
    if (next === before) return;
    const confirmation = { version: next.version, writtenAtMs: nowMs, exceptRegions: [], sampleEdge: findEdge(flags) };
    process.stdout.write(await confirmLive(control, confirmation));
  });
}
