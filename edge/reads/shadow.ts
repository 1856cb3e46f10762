// Compares a share of the answers of caches with Bigtable, behind the answer: the operator's proof that caches tell the
// truth. The second read goes to an origin, which may not answer it from memory and stores nothing of it.
import type { ListKey } from '../../shared/domain/keys.ts';
import type { ListValue } from '../../shared/domain/list.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { Random } from '../../shared/runtime/random.ts';
import type { ShadowStatus } from '../../shared/wire/edge-status.ts';
import type { Log } from '../log.ts';
import { type Call, detach } from '../request/call.ts';
import type { FallbackStep } from './fallback.ts';
import type { EntryRead } from './list-read.ts';
import type { RegionReader } from './region-reader.ts';
import type { UserRef } from './user-ref.ts';

export interface Shadow {
  /** Called for each read that an entry answered. `share`: probability of a comparison, 0 to 1. */
  record(step: FallbackStep, read: EntryRead, share: number, open: () => Call): void;
  status(): ShadowStatus;
}

interface ShadowOptions {
  /** Reads from the origin of a region, past its object. */
  readonly origin: RegionReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
  readonly userRef: UserRef;
  /** Maximum duration of a comparison in milliseconds. */
  readonly timeoutMs: number;
}

type Kind = ShadowStatus['differences'][number]['kind'];

export function createShadow({ origin, clock, random, counters, log, userRef, timeoutMs }: ShadowOptions): Shadow {
  const differences = new Map<string, { readonly tier: string; readonly kind: Kind; count: number }>();
  let reads = 0;

  async function compare(step: FallbackStep, cached: ListValue, tier: string, call: Call): Promise<void> {
    const { key, ttlSeconds } = step;
    const request = { key, ttlSeconds, notBeforeMs: 0, isBackground: true, isShadow: true };
    const [region] = call.regions;
    if (region === undefined) return;
    const [result] = await origin.read(region, [request], call);
    if (result?.kind !== 'entry') return;
    reads++;
    counters.add('edge_shadow_reads_total');
    const kind = differenceOf(cached, result.entry.value);
    if (kind === undefined) return;
    counters.add('edge_shadow_differences_total');
    const about = { tier, kind };
    const known = differences.get(`${tier}/${kind}`) ?? { ...about, count: 0 };
    known.count++;
    differences.set(`${tier}/${kind}`, known);
    log.error('shadow_difference', { ...about, ...describeKey(key), user: await userRef(key.user) });
  }

  return {
    record: (step, read, share, open) => {
      const tier = tierOf(read);
      // An expanded list changes with its items.
      if (tier === undefined || share === 0 || step.key.expand !== undefined || random() >= share) return;
      const call = open();
      call.waitUntil(compare(step, read.entry.value, tier, detach(call, clock, timeoutMs)));
    },
    status: () => ({ reads, differences: [...differences.values()].map((each) => ({ ...each })) }),
  };
}

const HITS: readonly string[] = ['hit', 'stale-while-revalidate', 'stale-if-error'];

/** The cache that answered; undefined for a list from Bigtable, and for the load of another request. */
function tierOf({ isFromCache, trail }: EntryRead): string | undefined {
  if (!isFromCache || trail.tiers.some(({ isCollapsed }) => isCollapsed)) return undefined;
  const near = trail.tiers.find(({ outcome }) => HITS.includes(outcome));
  if (near !== undefined) return near.tier;
  const isObject = trail.regions.some(({ object }) => object !== undefined && HITS.includes(object.outcome));
  return isObject ? 'region' : 'origin';
}

/** Undefined for the same list. */
function differenceOf(cached: ListValue, stored: ListValue): Kind | undefined {
  if (cached.kind === 'absent') return stored.kind === 'absent' ? undefined : 'missing';
  if (stored.kind === 'absent') return 'surplus';
  if (isPrefix(cached.bytes, stored.bytes))
    return cached.bytes.length === stored.bytes.length ? undefined : 'truncated';
  return cached.generation === stored.generation ? 'other' : 'stale';
}

const isPrefix = (part: Uint8Array, whole: Uint8Array): boolean =>
  part.length <= whole.length && part.every((byte, i) => byte === whole[i]);

const describeKey = ({ surface, variant, generation }: ListKey) => ({ surface, variant, generation });
