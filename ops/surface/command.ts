// `earshot surface remove`: takes a surface with all its variants out of the manifest.
import { Command } from 'commander';
import { dryRunOption, parseName, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeManifest, reportServed } from '../manifest/change-manifest.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { removeSurface } from './remove-surface.ts';

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

export const makeSurfaceCommand = (): Command =>
  new Command('surface').addCommand(
    new Command('remove')
      .description('Takes a surface with all its variants out of the manifest.')
      .argument('<surface>', 'surface, for example `radio`', parseName)
      .option('--force', 'remove a surface that listeners can read')
      .addOption(whyOption())
      .addOption(dryRunOption())
      .addOption(controlProfileOption())
      .addHelpText('after', help)
      .action(async (name: string, _options: unknown, command: Command) => remove(name, command.optsWithGlobals())),
  );

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
