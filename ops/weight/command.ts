// `earshot weight`: the shares of a surface's variants. It changes no generation.
import { Command } from 'commander';
import { isName, NAME_GRAMMAR } from '../../shared/domain/ids.ts';
import { dryRunOption, parseName, whyOption } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { changeManifest, reportServed } from '../manifest/change-manifest.ts';
import { describeSurface } from '../manifest/describe-surface.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { setWeights, type Weights } from './set-weights.ts';

interface Flags extends ControlFlags {
  readonly why?: string;
  readonly dryRun?: boolean;
}

const help = `
A share is a weight over the sum of the named weights, so 75 and 25 mean the same as 3 and 1. They are stored
as basis points. Every variant that has listeners must be named. Generations stay as they are.

Examples:
  $ npx earshot weight home control=75 knn=25 --dry-run
  $ npx earshot weight home control=100 knn=0 --why "knn is too slow"`;

export const makeWeightCommand = (): Command =>
  new Command('weight')
    .argument('<surface>', 'surface, for example `home`', parseName)
    .argument('<variant=weight...>', 'share of each variant, in any unit')
    .addOption(whyOption())
    .addOption(dryRunOption())
    .addOption(controlProfileOption())
    .addHelpText('after', help)
    .action(async (surface: string, pairs: string[], _options: unknown, command: Command) =>
      weight(surface, parseWeights(pairs), command.optsWithGlobals()),
    );

const MAX_WEIGHT = 1_000_000;

function parseWeights(pairs: readonly string[]): Weights {
  const weights = new Map<string, number>();
  for (const pair of pairs) {
    const [, name = '', text = ''] = /^([^=]*)=(\d{1,7}(?:\.\d{1,6})?)$/.exec(pair) ?? [];
    if (!isName(name) || Number(text) > MAX_WEIGHT)
      throw new UsageError(
        `expected variant=weight with ${NAME_GRAMMAR}, and a number from 0 to ${MAX_WEIGHT}, got ${JSON.stringify(pair)}`,
      );
    if (weights.has(name)) throw new UsageError(`expected each variant once, got ${name} twice`);
    weights.set(name, Number(text));
  }
  return weights;
}

async function weight(surface: string, weights: Weights, flags: Flags): Promise<void> {
  const { why, dryRun = false } = flags;
  const origins = findOrigins(flags);
  const what = `weight ${surface} ${[...weights].map((pair) => pair.join('=')).join(' ')}`;
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const change = { what, why, dryRun, origins };
    const { before, next, nowMs } = await changeManifest(control, {
      ...change,
      change: (live) => setWeights(live, surface, weights),
    });
    const described = next.surfaces[surface];
    if (next === before) process.stdout.write(`the shares are as they were: no change (version ${next.version})\n`);
    else process.stdout.write(`the shares ${dryRun ? 'would be' : 'are'} live (version ${next.version})\n`);
    if (described !== undefined) process.stdout.write(describeSurface(surface, described, nowMs));
    if (next !== before && !dryRun) await reportServed(control, origins, next.version);
  });
}
