// Keeps the popular lists in the caches, behind answers: when a fallback needs one, no region may be reachable.
import { type CacheKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { type Call, detach } from '../request/call.ts';
import { type FallbackStep, makePopularStep, makeSurfacePopularStep, type Read } from './fallback.ts';
import type { ListReader } from './read-through.ts';

interface WarmPopularOptions {
  readonly lists: ListReader;
  readonly clock: Clock;
  /** Milliseconds between two warm-ups of one list. 0 disables them. */
  readonly intervalMs: number;
  /** Maximum duration of a warm-up in milliseconds. */
  readonly timeoutMs: number;
}

/** Reads the popular lists that `reads` could fall back to, each once per interval. */
export type WarmPopular = (
  reads: readonly { readonly read: Read; readonly own: FallbackStep }[],
  manifest: Manifest,
  call: Call,
) => void;

/** More keys than this belong to generations that are over. */
const MAX_KEYS = 1_000;

export function createWarmPopular({ lists, clock, intervalMs, timeoutMs }: WarmPopularOptions): WarmPopular {
  /** Time of the last warm-up, by cache key. There are few: one per variant of a surface. */
  const warmedAtMs = new Map<CacheKey, number>();

  return (reads, manifest, call) => {
    if (intervalMs === 0) return;
    const nowMs = clock.now();
    const due = new Map<CacheKey, FallbackStep>();
    for (const { own, read } of reads) {
      for (const step of [makeSurfacePopularStep(own, manifest), makePopularStep(read, manifest, nowMs)]) {
        const cacheKey = step && makeCacheKey(step.key);
        if (step === undefined || cacheKey === undefined) continue;
        if (nowMs - (warmedAtMs.get(cacheKey) ?? 0) < intervalMs) continue;
        due.set(cacheKey, { ...step, isBackground: true });
        warmedAtMs.set(cacheKey, nowMs);
      }
    }
    if (warmedAtMs.size > MAX_KEYS) warmedAtMs.clear();
    if (due.size > 0) call.waitUntil(lists.read([...due.values()], detach(call, clock, timeoutMs)));
  };
}
