// `earshot manifest restore`: an earlier version becomes live again under a new number.
import { readFileSync } from 'node:fs';
import { type Manifest, parseManifest } from '../../shared/domain/manifest.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { type KeptManifest, readManifestRow, replaceManifest } from '../bigtable/manifest-row.ts';
import { author, type ControlFlags, withControl } from '../cli/control.ts';
import { UsageError } from '../cli/usage-error.ts';
import { confirmWrite } from '../cli/write-target.ts';
import { highestSeen, reportServed, requireWritable } from './change-manifest.ts';
import { describeSurface } from './describe-surface.ts';
import { diffManifests } from './diff.ts';
import { findMissingGenerations } from './existing-generations.ts';
import { findMissingArm, withNewestEffects } from './newest-effects.ts';
import { describeVersions, findVersion } from './read-versions.ts';
import { findOrigins, readServedManifests, type ServedManifest } from './served-manifests.ts';

interface Flags extends ControlFlags {
  readonly why: string;
  readonly from?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

export async function restore(version: number, flags: Flags): Promise<void> {
  if (flags.why.trim() === '') throw new UsageError('expected --why to have the reason, got an empty text');
  const saved = flags.from === undefined ? undefined : readSaved(flags.from, version);
  const origins = findOrigins(flags);
  await confirmWrite(flags);
  await withControl(flags, async (control) => {
    const [kept, served] = await Promise.all([readManifestRow(control), readServedManifests(origins)]);
    if (kept[0]?.foreign !== undefined) throw new Error(kept[0].foreign);
    const source = saved ?? findSource(version, kept, served);
    const nowMs = control.retries.clock.now();
    const others = [...kept, ...served].flatMap(({ manifest }) => manifest ?? []);
    // The row may be broken or gone: then the latest manifest that can be read has what takes effect now.
    const next: Manifest = {
      ...withNewestEffects(source, others, nowMs),
      version: Math.max(highestSeen(kept, served), source.version) + 1,
    };
    requireWritable(next);
    if (!flags.force) {
      requireArms(next);
      await requireGenerations(control, next, nowMs);
    }
    describeChange(kept[0], next, nowMs);
    if (flags.dryRun) {
      process.stdout.write(`version ${version} would be live again as version ${next.version}\n`);
      return;
    }
    const note = { what: `restore ${version}`, why: flags.why, by: author() };
    if (!(await replaceManifest(control, { read: kept[0], next, note, nowMs }))) {
      throw new Error('another writer changed the manifest at the same moment; nothing was restored: look at it first');
    }
    process.stdout.write(`version ${version} is live again as version ${next.version}\n`);
    await reportServed(control, origins, next.version);
  });
}

function readSaved(path: string, version: number): Manifest {
  try {
    const saved = parseManifest(readFileSync(path, 'utf8'));
    if (saved.version === version) return saved;
    throw new Error(`it has version ${saved.version}`);
  } catch (error) {
    throw new Error(`expected ${path} to hold version ${version} of the manifest: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function findSource(version: number, kept: readonly KeptManifest[], served: readonly ServedManifest[]): Manifest {
  const found =
    findVersion(kept, version)?.manifest ?? served.find(({ manifest }) => manifest?.version === version)?.manifest;
  if (found !== undefined) return found;
  const origins =
    served.length === 0 ? 'no origin is known' : `origins serve ${served.map(describeVersion).join(', ')}`;
  throw new Error(`expected a version that the table keeps, got ${version} (${describeVersions(kept)}; ${origins})`);
}

const describeVersion = ({ name, manifest, problem }: ServedManifest): string =>
  `${manifest?.version ?? problem} in ${name}`;

/** Live experiments go on, so their arms must be there. */
function requireArms(manifest: Manifest): void {
  const missing = findMissingArm(manifest);
  if (missing === undefined) return;
  const { experiment, variant } = missing;
  throw new Error(
    `it has no ${variant}, an arm of ${experiment}: stop ${experiment} first (--force restores it anyway)`,
  );
}

async function requireGenerations(control: ControlTable, manifest: Manifest, nowMs: number): Promise<void> {
  const missing = await findMissingGenerations(control, manifest, nowMs);
  if (missing.length === 0) return;
  throw new Error(`its lists are missing: ${missing.join('; ')} (--force restores it anyway)`);
}

function describeChange(newest: KeptManifest | undefined, next: Manifest, nowMs: number): void {
  const lines = newest?.manifest === undefined ? [] : diffManifests(newest.manifest, next);
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  for (const [name, surface] of Object.entries(next.surfaces)) {
    process.stdout.write(describeSurface(name, surface, nowMs));
  }
}
