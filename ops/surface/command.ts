// `earshot surface`: takes a surface with all its variants out of the manifest, or sets the bounds of its checks.
import { Command } from 'commander';
import { dryRunOption, parseName, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeManifest, reportServed } from '../manifest/change-manifest.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { removeSurface } from './remove-surface.ts';
import { type Bounds, parseBounds, setChecks } from './set-checks.ts';

interface Flags extends ControlFlags {
  readonly why?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

const help = `
Every read of the surface then answers 404. Without --force the command only says what would be lost.
\`npx earshot manifest restore\` brings the surface back.

Examples:
  $ npx earshot surface remove radio
  $ npx earshot surface remove radio --force --why "no app asks for it"`;

const setHelp = `
A surface without a bound has the default of the check. docs/releases.md has every check with its bound.

Examples:
  $ npx earshot surface set home overlap=0.2 users=0.5 --why "the model is new"
  $ npx earshot surface set home overlap=default users=default`;

export const makeSurfaceCommand = (): Command => new Command('surface').addCommand(makeRemove()).addCommand(makeSet());

const makeRemove = (): Command =>
  new Command('remove')
    .description('Takes a surface with all its variants out of the manifest.')
    .argument('<surface>', 'surface, for example `radio`', parseName)
    .option('--force', 'remove a surface that listeners can read')
    .addOption(whyOption())
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', help)
    .action(async (name: string, _options: unknown, command: Command) => remove(name, command.optsWithGlobals()));

const makeSet = (): Command =>
  new Command('set')
    .description('Sets the bounds of the checks before a publication of the surface.')
    .argument('<surface>', 'surface, for example `home`', parseName)
    .argument('<check=bound...>', 'bound of each check, or `default`')
    .addOption(whyOption())
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', setHelp)
    .action(async (name: string, pairs: string[], _options: unknown, command: Command) =>
      set(name, parseBounds(pairs), command.optsWithGlobals()),
    );

async function set(name: string, bounds: Bounds, flags: Flags): Promise<void> {
  const { why, dryRun = false } = flags;
  const origins = findOrigins(flags);
  const what = `surface set ${name} ${[...bounds].map(([check, bound]) => `${check}=${bound ?? 'default'}`).join(' ')}`;
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const { before, next } = await changeManifest(control, {
      ...{ what, why, dryRun, origins },
      change: (live) => setChecks(live, name, bounds),
    });
    const own = Object.entries(next.surfaces[name]?.checks ?? {}).map(([check, bound]) => `${check}=${bound}`);
    const shown = own.length === 0 ? 'every check has its default bound' : `own bounds: ${own.join(' ')}`;
    const change = next === before ? 'no change' : dryRun ? 'would be changed' : 'is changed';
    process.stdout.write(`${name}: ${change} (version ${next.version}); ${shown}\n`);
    if (next !== before && !dryRun) await reportServed(control, origins, next.version);
  });
}

async function remove(name: string, flags: Flags): Promise<void> {
  const { why, force = false, dryRun = false } = flags;
  const origins = findOrigins(flags);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const { next } = await changeManifest(control, {
      ...{ what: `surface remove ${name}`, why, dryRun, origins },
      change: (live) => removeSurface(live, name, force),
    });
    process.stdout.write(`${name} ${dryRun ? 'would be' : 'is'} removed (version ${next.version})\n`);
    if (!dryRun) await reportServed(control, origins, next.version);
  });
}
