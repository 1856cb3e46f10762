// One change of the live manifest: read, change, compare-and-set, until no other writer interferes. The next version is
// higher than every version that the row keeps or an origin serves. A row in trouble is not written over.
import { EMPTY_MANIFEST, type Manifest, manifestSchema, requireManifestSize } from '../../shared/domain/manifest.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import {
  highestVersion,
  type KeptManifest,
  RECENT_VERSIONS,
  readManifestRow,
  replaceManifest,
} from '../bigtable/manifest-row.ts';
import { author } from '../cli/control.ts';
import { findTrouble } from './manifest-trouble.ts';
import { describeServed, type Origins, readServedManifests, waitUntilServed } from './served-manifests.ts';

export interface ManifestChange {
  /** The change in words, for the history of the manifest. */
  readonly what: string;
  readonly why?: string | undefined;
  /** Default: `author()`. */
  readonly by?: string | undefined;
  readonly dryRun: boolean;
  readonly origins: Origins | undefined;
  /** The changed manifest, of any version; the same object if there is nothing to change. Throws an Error otherwise. */
  readonly change: (live: Manifest, nowMs: number) => Manifest;
}

export interface ChangeOutcome {
  readonly before: Manifest;
  /** The same object as `before` if there was nothing to change. */
  readonly next: Manifest;
  readonly nowMs: number;
}

const MAX_ATTEMPTS = 5;
/** Origins read the row every 2 s. */
const CONFIRM_MS = 5_000;

/** Throws an Error with the reason if nothing was changed. A dry run does everything but the write. */
export async function changeManifest(control: ControlTable, options: ManifestChange): Promise<ChangeOutcome> {
  const { what, why, by = author(), dryRun, origins, change } = options;
  const { clock } = control.retries;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const [kept, served] = await Promise.all([readManifestRow(control, RECENT_VERSIONS), readServedManifests(origins)]);
    const trouble = findTrouble(kept, served);
    if (trouble !== undefined) throw new Error(trouble);
    const nowMs = clock.now();
    const before = kept[0]?.manifest ?? EMPTY_MANIFEST;
    const changed = change(before, nowMs);
    if (changed === before) return { before, next: before, nowMs };
    const next = { ...changed, version: highestVersion(kept) + 1 };
    requireWritable(next);
    const note = { what, why, by };
    if (dryRun || (await replaceManifest(control, { read: kept[0], next, note, nowMs })))
      return { before, next, nowMs };
  }
  throw new Error(`other writers changed the manifest ${MAX_ATTEMPTS} times in a row; nothing was changed: try again`);
}

/** Throws an Error for a manifest that readers would refuse. A dry run reports it, too. */
export function requireWritable(manifest: Manifest): void {
  const issue = manifestSchema.safeParse(manifest).error?.issues[0];
  if (issue !== undefined) throw new Error(`nothing was changed: ${issue.path.join('.')}: ${issue.message}`);
  requireManifestSize(JSON.stringify(manifest));
}

/** Waits some seconds for origins to serve `version`, and prints which do. */
export async function reportServed(
  control: ControlTable,
  origins: Origins | undefined,
  version: number,
): Promise<void> {
  const { clock } = control.retries;
  const served = await waitUntilServed(origins, version, { clock, waitMs: CONFIRM_MS });
  process.stdout.write(describeServed(served, version));
}

/** The highest version that the row keeps or an origin serves. */
export const highestSeen = (
  kept: readonly KeptManifest[],
  served: readonly { manifest: Manifest | undefined }[],
): number => Math.max(highestVersion(kept), ...served.map(({ manifest }) => manifest?.version ?? 0));
