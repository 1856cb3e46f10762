// `earshot releases`: the releases of a surface, or of all, with their states.
import { Command } from 'commander';
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Name } from '../../shared/domain/ids.ts';
import { nameRelease } from '../../shared/domain/release.ts';
import { parseName } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatCount, formatTable } from '../cli/format.ts';
import { type ListedRelease, readReleases } from '../release/read-releases.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
}

export const makeReleasesCommand = (): Command =>
  new Command('releases')
    .argument('[surface]', 'surface, for example `home`, or `items` (default: all)', parseName)
    .option('--json', 'print JSON')
    .addOption(controlProfileOption())
    .addHelpText('after', '\nExamples:\n  $ npx earshot releases\n  $ npx earshot releases home --json')
    .action(async (surface: Name | undefined, _options: unknown, command: Command) =>
      releases(surface, command.optsWithGlobals()),
    );

async function releases(surface: Name | undefined, flags: Flags): Promise<void> {
  const all = await withControl(flags, (control) => readReleases(control, surface));
  if (flags.json) {
    const shown = all.map(({ record: { generation: _, ...record }, ...release }) => ({
      ...{ release: nameRelease(release), state: release.state, record },
    }));
    process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
    return;
  }
  if (all.length === 0) process.stdout.write('no release is recorded: load one with `npx earshot ingest`\n');
  else
    process.stdout.write(formatTable([['release', 'state', 'lists', 'rejects', 'since', 'by'], ...all.map(describe)]));
}

function describe(release: ListedRelease): string[] {
  const { state, record } = release;
  const last = record.transitions.at(-1);
  return [
    nameRelease(release),
    state,
    formatCount(record.lists),
    formatCount(record.rejected),
    last === undefined ? '-' : formatGeneration(last.atMs),
    last?.by ?? '-',
  ];
}
