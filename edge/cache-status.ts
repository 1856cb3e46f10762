// Cache-Status (RFC 9211): one member for each cache and region that was asked, from the one closest to the origin to the one closest to
// the listener. Members are structured fields (RFC 9651): names are tokens, `detail` is a token, `key` a string, numbers are integers.
import type { Entry } from '../shared/entry.ts';
import type { ListKey } from '../shared/keys.ts';
import { serializeKey } from './debug.ts';
import type { Asked } from './tiers/chain.ts';
import type { RegionAsked } from './upstream/region-reader.ts';

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
  const regions = trail.regions.flatMap((asked) => regionMembersOf(asked, trail, nowMs));
  const tiers = trail.tiers.toReversed().map((asked) => member(asked.tier, tierParameters(asked, trail, nowMs)));
  return [...regions, ...tiers];
}

/** The region's origin, then its object, which is closer to the listener. */
function regionMembersOf({ region, object, origin }: RegionAsked, trail: CacheTrail, nowMs: number): string[] {
  const members: string[] = [];
  if (origin !== undefined) {
    const { status, detail } = origin;
    const forwarded = status === undefined ? '' : `fwd-status=${status}`;
    members.push(member(`origin-${region}`, ['fwd=miss', forwarded, withDetail(detail ?? trail.detail)]));
  }
  if (object !== undefined) members.push(member(`region-${region}`, tierParameters(object, trail, nowMs)));
  return members;
}

const FORWARDED = { miss: 'fwd=miss', error: 'fwd=miss', stale: 'fwd=stale', bypass: 'fwd=bypass' } as const;

function tierParameters(asked: Omit<Asked, 'tier'>, { entry, stored, detail }: CacheTrail, nowMs: number): string[] {
  const { outcome, isCollapsed, detail: ownDetail } = asked;
  if (outcome === 'hit' || outcome === 'stale-while-revalidate' || outcome === 'stale-if-error') {
    // Below 0 for what is stale (RFC 9211, section 2.4).
    const ttl = entry === undefined ? '' : `ttl=${Math.floor((entry.freshUntilMs - nowMs) / 1000)}`;
    return ['hit', ttl, withDetail(outcome === 'hit' ? (entry?.value.kind === 'absent' ? 'absent' : detail) : outcome)];
  }
  const isStored = stored && outcome !== 'bypass';
  return [
    FORWARDED[outcome],
    isStored ? 'stored' : '',
    isCollapsed ? 'collapsed' : '',
    withDetail(ownDetail ?? (outcome === 'error' ? 'error' : detail)),
  ];
}

const member = (name: string, parameters: readonly string[]): string =>
  [name, ...parameters.filter(Boolean)].join('; ');
const withDetail = (detail: string | undefined): string => (detail === undefined ? '' : `detail=${detail}`);
