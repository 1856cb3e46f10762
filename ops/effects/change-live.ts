// One change of the manifest by a command that takes effect now: written, and then confirmed at origins and edge.
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import type { ControlFlags } from '../cli/control.ts';
import { changeManifest } from '../manifest/change-manifest.ts';
import { findOrigins } from '../manifest/served-manifests.ts';
import { confirmLive } from '../release/confirm.ts';
import { findEdge } from '../release/edge-sample.ts';
import { whoIs } from '../release/who.ts';

interface Flags extends ControlFlags {
  readonly why?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export interface LiveChange {
  /** The change in words, for the history of the manifest. */
  readonly what: string;
  /** The changed manifest; the same object if there is nothing to change. Throws an Error otherwise. */
  readonly change: (live: Manifest, nowMs: number, by: string) => Manifest;
  /** The line to print about the changed manifest. */
  readonly done: (next: Manifest) => string;
  /** Members of the JSON of the changed manifest. Default: none. */
  readonly data?: (next: Manifest) => object;
}

/** Throws an Error with the reason if nothing was changed. A dry run does everything but the write. */
export async function changeLive(
  control: ControlTable,
  flags: Flags,
  { what, change, done, data }: LiveChange,
): Promise<void> {
  const by = await whoIs(flags);
  const dryRun = flags.dryRun ?? false;
  const { before, next, nowMs } = await changeManifest(control, {
    ...{ what, why: flags.why, by, dryRun, origins: findOrigins(flags) },
    change: (live, atMs) => change(live, atMs, by),
  });
  const isChanged = next !== before;
  if (!flags.json) {
    const words = !isChanged ? 'no change' : dryRun ? `would be: ${done(next)}` : done(next);
    process.stdout.write(`${words} (version ${next.version})\n`);
  }
  const confirmation = { version: next.version, writtenAtMs: nowMs, exceptRegions: [], sampleEdge: findEdge(flags) };
  const confirmed = isChanged && !dryRun ? await confirmLive(control, confirmation) : '';
  if (!flags.json) return void process.stdout.write(confirmed);
  const { version } = next;
  process.stdout.write(`${JSON.stringify({ what, changed: isChanged, dryRun, version, ...data?.(next) })}\n`);
}
