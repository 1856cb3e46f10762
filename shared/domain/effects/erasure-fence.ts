// Loads that the manifest has overtaken: the load started before its user was erased, or its generation is no longer
// the one of its readers. Its callers still get the result, but no cache stores it.
import { POPULAR_USER } from '../ids.ts';
import { type ListKey, makeUserHash, userHashOf } from '../keys.ts';
import type { Manifest } from '../manifest.ts';
import { isGenerationServed } from '../rollout.ts';
import type { LiveManifest } from './documents.ts';
import { HIDDEN_MS } from './erasure-document.ts';

const indexes = new WeakMap<Manifest, ReadonlyMap<string, number>>();

/**
 * Moment of the last erasure of `user` in ms since the epoch; 0 for none, HIDDEN_MS for a hidden user. Entries stored
 * before it are misses.
 */
export function erasedAtMs(manifest: LiveManifest, user: string): number {
  const { erasures, held } = manifest;
  const inManifest = erasures.length === 0 ? 0 : (indexOf(manifest).get(makeUserHash(user)) ?? 0);
  if (held === undefined || held.erasures.length === 0) return inManifest;
  const hash = userHashOf(user);
  // The manifest has the newest once more, for readers that know no documents. A document has the later moment.
  return held.erasures.reduce((latest, document) => Math.max(latest, document.atMs(hash)), inManifest);
}

/** Whether no cache and no region may be asked for the user. */
export const isHidden = (manifest: LiveManifest, user: string): boolean => erasedAtMs(manifest, user) === HIDDEN_MS;

/** The reason not to store a load of `key` that started at `startedAtMs`; undefined if it may be stored. */
export function fenceReason(
  manifest: LiveManifest,
  { surface, variant, generation, user }: ListKey,
  startedAtMs: number,
  nowMs: number,
): 'erased' | 'superseded' | undefined {
  if (startedAtMs < erasedAtMs(manifest, user)) return 'erased';
  const variants = Object.hasOwn(manifest.surfaces, surface) ? manifest.surfaces[surface]?.variants : undefined;
  const live = variants?.find(({ name }) => name === variant);
  if (live === undefined) return 'superseded';
  // Users on both sides of a ramp read the popular list. The pseudo-user's own side does not matter.
  const isRead = isGenerationServed(live, generation, nowMs, user === POPULAR_USER ? undefined : user);
  return isRead ? undefined : 'superseded';
}

/** The latest erasure by user hash, built once per manifest. */
function indexOf(manifest: Manifest): ReadonlyMap<string, number> {
  const known = indexes.get(manifest);
  if (known !== undefined) return known;
  const index = new Map<string, number>();
  for (const { userHash, atMs } of manifest.erasures) index.set(userHash, Math.max(atMs, index.get(userHash) ?? 0));
  indexes.set(manifest, index);
  return index;
}
