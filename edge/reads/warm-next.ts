// Loads the lists of the next release behind answers of the present one, while the manifest warms it: for users whose
// list a cache near them has. A region object sees none of their reads. The load goes through every tier, so it fills
// the region's object, too.
import { type CacheKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { type Call, detach } from '../request/call.ts';
import type { FallbackStep } from './fallback.ts';
import type { ListReader } from './read-through.ts';

interface WarmNextOptions {
  readonly lists: ListReader;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Maximum duration of a load in milliseconds. */
  readonly timeoutMs: number;
}

/** Called for each list of the user's own that a cache had. */
export type WarmNext = (own: FallbackStep, open: () => Call) => void;

/** More keys than this: some are loaded again, which the caches answer. */
const MAX_KEYS = 50_000;

export function createWarmNext({ lists, clock, counters, timeoutMs }: WarmNextOptions): WarmNext {
  const warmed = new Set<CacheKey>();
  return (own, open) => {
    const { warm: generation, key } = own;
    if (generation === undefined || key.coldFor !== undefined) return;
    const next: FallbackStep = { ...own, key: { ...key, generation }, warm: undefined, isBackground: true };
    const cacheKey = makeCacheKey(next.key);
    if (warmed.has(cacheKey)) return;
    if (warmed.size >= MAX_KEYS) warmed.clear();
    warmed.add(cacheKey);
    counters.add('edge_warmed_total');
    const call = open();
    call.waitUntil(lists.read([next], detach(call, clock, timeoutMs)));
  };
}
