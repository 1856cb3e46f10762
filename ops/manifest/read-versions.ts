// `earshot manifest show`, `history` and `diff`: the versions of the manifest that the table keeps.
import { readDocument } from '../../origin/bigtable/document-row.ts';
import { documentsOf } from '../../shared/domain/effects/documents.ts';
import { EMPTY_MANIFEST, type Manifest } from '../../shared/domain/manifest.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { type KeptManifest, RECENT_VERSIONS, readManifestRow } from '../bigtable/manifest-row.ts';
import { withRetries } from '../bigtable/retry.ts';
import { type ControlFlags, withControl } from '../cli/control.ts';
import { formatTable } from '../cli/format.ts';
import { describeSurface } from './describe-surface.ts';
import { diffManifests } from './diff.ts';
import { findMissingGenerations } from './existing-generations.ts';
import { findTrouble } from './manifest-trouble.ts';
import { findOrigins, readServedManifests } from './served-manifests.ts';

interface Flags extends ControlFlags {
  readonly json?: boolean;
}

export const show = (version: number | undefined, flags: Flags): Promise<void> =>
  version === undefined ? showLive(flags) : showKept(version, flags);

/** Prints the live manifest, and throws an Error that names the trouble of its row. */
async function showLive(flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    const [kept, served] = await Promise.all([
      readManifestRow(control, RECENT_VERSIONS),
      readServedManifests(findOrigins(flags)),
    ]);
    const [newest] = kept;
    if (newest?.manifest !== undefined) printManifest(newest, flags, control.retries.clock.now());
    else if (newest === undefined && flags.json) printJson(EMPTY_MANIFEST);
    else if (newest === undefined) process.stdout.write('Nothing is published yet.\n');
    const trouble = findTrouble(kept, served);
    if (trouble !== undefined) throw new Error(trouble);
    if (newest?.manifest !== undefined) await warnOfMissing(control, newest.manifest);
  });
}

async function warnOfMissing(control: ControlTable, manifest: Manifest): Promise<void> {
  const missing = await findMissingGenerations(control, manifest, control.retries.clock.now());
  for (const each of missing) process.stderr.write(`warning: ${each}, and is live\n`);
  const { bigtable, appProfile, retries } = control;
  for (const name of documentsOf(manifest)) {
    try {
      await withRetries(retries, (timeoutMs) => readDocument(bigtable, appProfile, name, timeoutMs));
    } catch (error) {
      if (error instanceof EarshotError) throw error;
      process.stderr.write(`warning: ${(error as Error).message}; readers keep the manifest and documents of before\n`);
    }
  }
}

async function showKept(version: number, flags: Flags): Promise<void> {
  await withControl(flags, async (control) => {
    const kept = await readManifestRow(control);
    printManifest(requireVersion(kept, version), flags, control.retries.clock.now());
  });
}

const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

function printManifest({ manifest, writtenAtMs, note }: KeptManifest, { json }: Flags, nowMs: number): void {
  if (manifest === undefined) return;
  if (json) {
    printJson(manifest);
    return;
  }
  const reason = note === undefined ? '' : `: ${describeNote(note)}`;
  process.stdout.write(`version ${manifest.version}, written ${formatMoment(writtenAtMs)}${reason}\n`);
  for (const [name, surface] of Object.entries(manifest.surfaces)) {
    process.stdout.write(describeSurface(name, surface, nowMs));
  }
}

/** A cell can have any moment that Bigtable accepts, also one beyond the calendar. */
function formatMoment(atMs: number): string {
  const moment = new Date(atMs);
  return Number.isNaN(moment.getTime()) ? `at ${atMs} ms` : moment.toISOString();
}

const describeNote = ({ what, why, by }: NonNullable<KeptManifest['note']>): string =>
  `${what}${by === undefined ? '' : ` by ${by}`}${why === undefined ? '' : ` (${why})`}`;

export async function history(flags: Flags): Promise<void> {
  const kept = await withControl(flags, readManifestRow);
  if (flags.json) {
    printJson(
      kept.map(({ manifest, writtenAtMs, json, problem, note }) => ({
        ...{ version: manifest?.version, writtenAt: formatMoment(writtenAtMs), bytes: json.length, problem, ...note },
      })),
    );
    return;
  }
  if (kept.length === 0) process.stdout.write('Nothing is published yet.\n');
  else process.stdout.write(formatTable([['version', 'written', 'bytes', 'reason'], ...kept.map(describeKept)]));
}

const describeKept = ({ manifest, writtenAtMs, json, problem, note }: KeptManifest): string[] => [
  manifest === undefined ? 'broken' : String(manifest.version),
  formatMoment(writtenAtMs),
  String(json.length),
  problem ?? (note === undefined ? '-' : describeNote(note)),
];

export async function diff(from: number, to: number, flags: ControlFlags): Promise<void> {
  const kept = await withControl(flags, readManifestRow);
  const lines = diffManifests(requireVersion(kept, from).manifest, requireVersion(kept, to).manifest);
  process.stdout.write(lines.length === 0 ? 'no difference\n' : `${lines.join('\n')}\n`);
}

/** The last write of a version. Throws an Error that names the kept versions. */
export function requireVersion(kept: readonly KeptManifest[], version: number): KeptManifest & { manifest: Manifest } {
  const found = findVersion(kept, version);
  if (found !== undefined) return found;
  throw new Error(`expected a version that the table keeps, got ${version} (${describeVersions(kept)})`);
}

export function findVersion(
  kept: readonly KeptManifest[],
  version: number,
): (KeptManifest & { manifest: Manifest }) | undefined {
  for (const each of kept) if (each.manifest?.version === version) return { ...each, manifest: each.manifest };
  return undefined;
}

const SHOWN_VERSIONS = 10;

export function describeVersions(kept: readonly KeptManifest[]): string {
  const versions = [...new Set(kept.flatMap(({ manifest }) => manifest?.version ?? []))];
  if (versions.length === 0) return 'it keeps none';
  const shown = versions.slice(0, SHOWN_VERSIONS).join(', ');
  return `it keeps ${shown}${versions.length > SHOWN_VERSIONS ? ' and older ones' : ''}`;
}
