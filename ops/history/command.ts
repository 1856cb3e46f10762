// `earshot history`: every transition of the releases of a surface: when, who and why.
import { Command } from 'commander';
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Name } from '../../shared/domain/ids.ts';
import { nameRelease } from '../../shared/domain/release.ts';
import { parseName } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatTable } from '../cli/format.ts';
import { readReleases } from '../release/read-releases.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
}

export const makeHistoryCommand = (): Command =>
  new Command('history')
    .argument('<surface>', 'surface, for example `home`, or `items`', parseName)
    .option('--json', 'print JSON')
    .addOption(controlProfileOption())
    .addHelpText('after', '\nExamples:\n  $ npx earshot history home\n  $ npx earshot history items --json')
    .action(async (surface: Name, _options: unknown, command: Command) => history(surface, command.optsWithGlobals()));

async function history(surface: Name, flags: Flags): Promise<void> {
  const all = await withControl(flags, (control) => readReleases(control, surface));
  const transitions = all
    .flatMap((release) =>
      release.record.transitions.map((transition) => ({ release: nameRelease(release), ...transition })),
    )
    .sort((a, b) => a.atMs - b.atMs);
  if (flags.json) process.stdout.write(`${JSON.stringify(transitions, null, 2)}\n`);
  else if (transitions.length === 0) process.stdout.write(`nothing is recorded for ${surface}\n`);
  else
    process.stdout.write(
      formatTable([
        ['when', 'release', 'state', 'by', 'why'],
        ...transitions.map(({ atMs, release, to, by, why = '-' }) => [formatGeneration(atMs), release, to, by, why]),
      ]),
    );
}
