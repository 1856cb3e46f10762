// The state of a release, from its record and the manifest. The manifest decides wherever it names the release: a
// command may have died between the manifest and the record.
import type { Manifest, Variant } from '../../shared/domain/manifest.ts';
import { isItems, type Release } from '../../shared/domain/release.ts';
import { isRamping } from '../../shared/domain/rollout.ts';
import type { ReleaseRecord } from '../bigtable/release-record.ts';
import { findVariant } from './manifest-changes.ts';

/** States of a release that users can be on. */
const SERVED = new Set(['canary', 'ramping', 'live', 'backup', 'retired']);

/** A state that the record has and this build does not know is returned as it is. */
export function stateOfRelease(manifest: Manifest, release: Release, record: ReleaseRecord, nowMs: number): string {
  const inManifest = stateInManifest(manifest, release, nowMs);
  if (inManifest !== undefined) return inManifest;
  if (record.intent !== undefined && !SERVED.has(record.intent.to)) return record.intent.to;
  // The manifest does not name it any more: users have left it.
  return SERVED.has(record.state) ? 'rolled-back' : record.state;
}

function stateInManifest(manifest: Manifest, release: Release, nowMs: number): string | undefined {
  const live = isItems(release) ? manifest.items : findVariant(manifest, release);
  if (live === undefined) return undefined;
  const { generation } = release;
  const { flip, canary } = live as Partial<Variant>;
  if (live.current === generation) return isRamping({ flip, previous: live.previous }, nowMs) ? 'ramping' : 'live';
  if (canary?.generation === generation) return nowMs < canary.untilMs ? 'canary' : undefined;
  if (live.previous === generation) return 'backup';
  return live.lineage?.includes(generation) ? 'retired' : undefined;
}

/** Why a record says that a canary runs while the manifest's has ended. */
export function whyStateChanged(from: string, to: string): string {
  if (from === 'canary' && to === 'rolled-back') return 'the canary was not confirmed in time, so every edge left it';
  return `the manifest says so: a command ended before it had recorded it`;
}
