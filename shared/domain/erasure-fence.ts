// Which loads have been overtaken by the manifest. A load that began before its user was erased, or whose generation is
// no longer the one its readers are on, may still answer those who waited for it, but is not stored: what is stored
// after an erasure must not be from before it.
import { POPULAR_USER } from './ids.ts';
import { type ListKey, makeUserHash } from './keys.ts';
import type { Manifest } from './manifest.ts';
import { chooseGeneration, isGenerationServed } from './rollout.ts';

const indexes = new WeakMap<Manifest, ReadonlyMap<string, number>>();

/** When `user` was erased last, in milliseconds since the epoch; 0 for never. Entries stored before it are misses. */
export function erasedAtMs(manifest: Manifest, user: string): number {
  if (manifest.erasures.length === 0) return 0;
  return indexOf(manifest).get(makeUserHash(user)) ?? 0;
}

/**
 * Why what was loaded for `key` from `startedAtMs` on is not stored under `manifest` at `nowMs`; undefined when it is.
 */
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
  // The popular list is read by users on either side of a ramp, whichever side its own name would be on.
  const isRead =
    user === POPULAR_USER
      ? isGenerationServed(live, generation, nowMs)
      : chooseGeneration(live, user, nowMs) === generation;
  return isRead ? undefined : 'superseded';
}

/** The latest erasure of each user hash, made once for a manifest. */
function indexOf(manifest: Manifest): ReadonlyMap<string, number> {
  const known = indexes.get(manifest);
  if (known !== undefined) return known;
  const index = new Map<string, number>();
  for (const { userHash, atMs } of manifest.erasures) index.set(userHash, Math.max(atMs, index.get(userHash) ?? 0));
  indexes.set(manifest, index);
  return index;
}
