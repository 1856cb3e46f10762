// The releases of a surface, or of all, with the states that the manifest says.
import { type Name, toName } from '../../shared/domain/ids.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { ITEMS, type Line, nameLine, type Release } from '../../shared/domain/release.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { listLines, listReleases, type RecordedRelease } from '../bigtable/release-record.ts';
import { readLive } from './live.ts';
import { stateOfRelease } from './state.ts';

export interface ListedRelease extends Release {
  readonly state: string;
  readonly record: RecordedRelease;
}

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
  for (const line of await listLines(control)) lines.set(nameLine(line), line);
  if (manifest.items !== undefined) lines.set(nameLine(ITEMS), ITEMS);
  for (const [name, { variants }] of Object.entries(manifest.surfaces)) {
    for (const { name: variant } of variants) lines.set(`${name}/${variant}`, { surface: toName(name), variant });
  }
  const sorted = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  return surface === undefined ? sorted : sorted.filter((line) => line.surface === surface);
}
