// Cache-Status (RFC 9211): one member for each cache and region that was asked, from the one closest to the origin to the one closest to
// the listener. Members are structured fields (RFC 9651): names are tokens, `detail` is a token, `key` a string, numbers are integers.
import type { Entry } from '../shared/entry.ts';
import type { ListKey } from '../shared/keys.ts';
import { serializeKey } from './debug.ts';
import type { Asked } from './tiers/chain.ts';
import type { RegionAsked } from './upstream/read-lists.ts';

export interface CacheTrail {
  readonly key: ListKey;
  /** In the order in which they were asked. */
  readonly tiers: readonly Asked[];
  readonly regions: readonly RegionAsked[];
  /** The entry that a tier gave, when one did. */
  readonly entry?: Entry;
  /** Whether the answer was given to the tiers above where it came from. */
  readonly stored: boolean;
  /** Says that this is about the list that stood in. */
  readonly detail?: 'popular';
}

/** `withKeys` shows what each member was asked for, which is for those who may see it. */
export const serializeCacheStatus = (trails: readonly CacheTrail[], nowMs: number, withKeys: boolean): string =>
  trails
    .flatMap((trail) => {
      const members = membersOf(trail, nowMs);
      return withKeys ? members.map((each) => `${each}; ${serializeKey(trail.key)}`) : members;
    })
    .join(', ');

function membersOf(trail: CacheTrail, nowMs: number): string[] {
  const regions = trail.regions.map(({ region, status, detail }) =>
    member(`origin-${region}`, [
      'fwd=miss',
      status === undefined ? '' : `fwd-status=${status}`,
      withDetail(detail ?? trail.detail),
    ]),
  );
  const tiers = trail.tiers.toReversed().map((asked) => member(asked.tier, tierParameters(asked, trail, nowMs)));
  return [...regions, ...tiers];
}

function tierParameters(asked: Asked, { entry, stored, detail }: CacheTrail, nowMs: number): string[] {
  const { outcome, isCollapsed } = asked;
  const isStale = outcome === 'stale-if-error';
  if ((outcome === 'hit' || isStale) && entry !== undefined) {
    // Below 0 for what is stale (RFC 9211, section 2.4).
    const ttlSeconds = Math.floor((entry.freshUntilMs - nowMs) / 1000);
    return [
      'hit',
      `ttl=${ttlSeconds}`,
      withDetail(isStale ? outcome : entry.value.kind === 'absent' ? 'absent' : detail),
    ];
  }
  return [
    outcome === 'stale' ? 'fwd=stale' : 'fwd=miss',
    stored ? 'stored' : '',
    isCollapsed ? 'collapsed' : '',
    withDetail(outcome === 'error' ? 'error' : detail),
  ];
}

const member = (name: string, parameters: readonly string[]): string =>
  [name, ...parameters.filter(Boolean)].join('; ');
const withDetail = (detail: string | undefined): string => (detail === undefined ? '' : `detail=${detail}`);
