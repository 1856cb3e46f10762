// `earshot variant remove`: takes a variant without listeners out of the manifest.
import { Command } from 'commander';
import { isName, NAME_GRAMMAR } from '../../shared/domain/ids.ts';
import { dryRunOption, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeManifest, reportServed } from '../manifest/change-manifest.ts';
import { describeSurface } from '../manifest/describe-surface.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { removeVariant } from './remove-variant.ts';

interface Flags extends ControlFlags {
  readonly why?: string;
  readonly dryRun?: boolean;
}

const help = `
The variant must have the weight 0, so no listener loses a list. Its lists stay in Bigtable until they are
collected, and \`npx earshot publish\` brings it back.

Examples:
  $ npx earshot variant remove home/knn --dry-run
  $ npx earshot variant remove home/knn --why "the experiment is over"`;

export const makeVariantCommand = (): Command =>
  new Command('variant').addCommand(
    new Command('remove')
      .description('Takes a variant without listeners out of the manifest.')
      .argument('<surface/variant>', 'for example `home/knn`')
      .addOption(whyOption())
      .addOption(dryRunOption())
      .addOption(controlProfileOption())
      .addHelpText('after', help)
      .action(async (name: string, _options: unknown, command: Command) => remove(name, command.optsWithGlobals())),
  );

async function remove(name: string, flags: Flags): Promise<void> {
  const [surface = '', variant = '', ...rest] = name.split('/');
  if (rest.length > 0 || !isName(surface) || !isName(variant))
    throw new UsageError(`expected surface/variant, each ${NAME_GRAMMAR}, got ${JSON.stringify(name)}`);
  const { why, dryRun = false } = flags;
  const origins = findOrigins(flags);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const { next, nowMs } = await changeManifest(control, {
      ...{ what: `variant remove ${name}`, why, dryRun, origins },
      change: (live) => removeVariant(live, surface, variant),
    });
    process.stdout.write(`${name} ${dryRun ? 'would be' : 'is'} removed (version ${next.version})\n`);
    const described = next.surfaces[surface];
    if (described !== undefined) process.stdout.write(describeSurface(surface, described, nowMs));
    if (!dryRun) await reportServed(control, origins, next.version);
  });
}
