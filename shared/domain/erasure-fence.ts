// Loads that the manifest has overtaken: the load started before its user was erased, or its generation is no longer
// the one of its readers. Its callers still get the result, but no cache stores it.
import { POPULAR_USER } from './ids.ts';
import { type ListKey, makeUserHash } from './keys.ts';
import type { Manifest } from './manifest.ts';
import { isGenerationServed } from './rollout.ts';

const indexes = new WeakMap<Manifest, ReadonlyMap<string, number>>();

/** Moment of the last erasure of `user` in ms since the epoch; 0 for none. Entries stored before it are misses. */
export function erasedAtMs(manifest: Manifest, user: string): number {
  if (manifest.erasures.length === 0) return 0;
  return indexOf(manifest).get(makeUserHash(user)) ?? 0;
}

/** The reason not to store a load of `key` that started at `startedAtMs`; undefined if it may be stored. */
export function fenceReason(
  manifest: Manifest,
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
