// Whether a list in memory may be served, and with which age. Pure. The caller may bound the age: after an erasure or
// for a refresh an older list will not do.
import { ABSENT_TTL_MS } from '../../shared/caching/lifetime.ts';
import type { LiveManifest } from '../../shared/domain/effects/documents.ts';
import { HIDDEN_MS } from '../../shared/domain/effects/erasure-document.ts';
import { erasedAtMs } from '../../shared/domain/effects/erasure-fence.ts';
import { switchesAt } from '../../shared/domain/effects/switches.ts';
import { isReadable, lineageOf } from '../../shared/domain/lineage.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import type { CachedList } from './list-memory.ts';

/** Lists of a generation do not change. This bounds the damage if one does. */
export const MAX_LIST_AGE_MS = 3_600_000;

export function isServable(
  { value, storedAtMs }: CachedList,
  { user, surface, variant, generation, maxAgeMs }: ListQuery,
  manifest: LiveManifest,
  nowMs: number,
): boolean {
  const ageMs = nowMs - storedAtMs;
  if (maxAgeMs !== undefined && ageMs > maxAgeMs) return false;
  if (value.kind === 'list' && value.generation !== generation) {
    const lineage = lineageOf(manifest, surface, variant);
    if (!isReadable(lineage, generation, value.generation)) return false;
  }
  const { surfaces } = manifest;
  const ttlSeconds = Object.hasOwn(surfaces, surface) ? surfaces[surface]?.listTtlSeconds : undefined;
  const switched = switchesAt(manifest, nowMs)?.surfaces.get(surface)?.listTtlSeconds ?? Number.POSITIVE_INFINITY;
  const ttlMs = Math.min(MAX_LIST_AGE_MS, (ttlSeconds ?? 0) * 1000, switched * 1000);
  if (ageMs >= (value.kind === 'absent' ? Math.min(ABSENT_TTL_MS, ttlMs) : ttlMs)) return false;
  return storedAtMs >= erasedAtMs(manifest, user);
}

/** Loads that started before this moment will not do: they may have read the table from before an erasure. */
export function notBeforeMsOf({ maxAgeMs, user }: ListQuery, manifest: LiveManifest, arrivedAtMs: number): number {
  const erasedMs = erasedAtMs(manifest, user);
  const byErasureMs = erasedMs === HIDDEN_MS ? arrivedAtMs : erasedMs;
  return Math.max(0, maxAgeMs === undefined ? 0 : arrivedAtMs - maxAgeMs, byErasureMs);
}

/** Ages count from the arrival of the request. A list that was read later has none. */
export function toListResult({ value, storedAtMs }: CachedList, arrivedAtMs: number): ListResult {
  const ageMs = arrivedAtMs - storedAtMs;
  if (ageMs <= 0) return value;
  return value.kind === 'absent'
    ? { kind: 'absent', ageMs }
    : { kind: 'list', bytes: value.bytes, generation: value.generation, digest: value.digest, ageMs };
}
