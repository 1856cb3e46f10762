// `earshot releases` and `earshot history`: the releases of a surface, and every transition of them.
import { Command } from 'commander';
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Name } from '../../shared/domain/ids.ts';
import { toName } from '../../shared/domain/ids.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { type Line, nameRelease, type Release } from '../../shared/domain/release.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { listLines, listReleases, type RecordedRelease } from '../bigtable/release-record.ts';
import { parseName } from '../cli/arguments.ts';
import { type ControlFlags, controlProfileOption, withControl } from '../cli/control.ts';
import { formatCount, formatTable } from '../cli/format.ts';
import { readLive } from '../release/publication.ts';
import { stateOfRelease } from '../release/state.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
}

export interface ListedRelease extends Release {
  readonly state: string;
  readonly record: RecordedRelease;
}

const jsonOption = ['--json', 'print JSON'] as const;

export const makeReleasesCommand = (): Command =>
  new Command('releases')
    .argument('[surface]', 'surface, for example `home` (default: all)', parseName)
    .option(...jsonOption)
    .addOption(controlProfileOption())
    .action(async (surface: Name | undefined, _options: unknown, command: Command) =>
      releases(surface, command.optsWithGlobals()),
    );

export const makeHistoryCommand = (): Command =>
  new Command('history')
    .argument('<surface>', 'surface, for example `home`', parseName)
    .option(...jsonOption)
    .addOption(controlProfileOption())
    .action(async (surface: Name, _options: unknown, command: Command) => history(surface, command.optsWithGlobals()));

/** Every release of the surface, or of all, by variant and oldest first, with the state that the manifest says. */
export async function readReleases(control: ControlTable, surface: Name | undefined): Promise<ListedRelease[]> {
  const manifest = await readLive(control);
  const lines = await linesOf(control, manifest, surface);
  const nowMs = control.retries.clock.now();
  const all = await Promise.all(
    lines.map(async (line) =>
      (await listReleases(control, line)).map((record) => {
        const release = { ...line, generation: record.generation };
        return { ...release, state: stateOfRelease(manifest, release, record, nowMs), record };
      }),
    ),
  );
  return all.flat();
}

/** The variants with a record, or in the manifest. */
async function linesOf(control: ControlTable, manifest: Manifest, surface: Name | undefined): Promise<Line[]> {
  const lines = new Map<string, Line>();
  for (const line of await listLines(control)) lines.set(`${line.surface}/${line.variant}`, line);
  for (const [name, { variants }] of Object.entries(manifest.surfaces)) {
    for (const { name: variant } of variants) lines.set(`${name}/${variant}`, { surface: toName(name), variant });
  }
  const sorted = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  return surface === undefined ? sorted : sorted.filter((line) => line.surface === surface);
}

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
