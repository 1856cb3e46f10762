// Cache-Status (RFC 9211): one member for each cache and region that was asked, from the one closest to the origin to the one closest to
// the listener. Members are structured fields (RFC 9651): names are tokens, `detail` is a token, `key` a string, numbers are integers.
import type { Entry } from '../../shared/caching/entry.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { Asked } from '../tiers/chain.ts';
import type { RegionAsked } from '../upstream/region-reader.ts';
import { serializeKey } from './debug.ts';

export type StandIn = 'popular' | 'plain' | 'previous';

export interface CacheTrail {
  readonly key: ListKey;
  /** In the order in which they were asked. */
  readonly tiers: readonly Asked[];
  readonly regions: readonly RegionAsked[];
  /** The entry that was served, when one was. */
  readonly entry?: Entry;
  /** Whether the answer was given to the tiers above where it came from. */
  readonly stored: boolean;
  /** Says that this is about a list that stood in: the popular one, the user's own without what is known of its items, or of the generation before. */
  readonly detail?: StandIn | undefined;
}

/** What one cache or region was to one read. */
export interface Member {
  readonly name: string;
  /** Whether the read was served from what it held. */
  readonly isHit: boolean;
  /** Whether the read got an answer there. */
  readonly isAnswer: boolean;
  /** Why it was not served there, and what became of the answer: `fwd`, `fwd-status`, `stored`, `collapsed`. */
  readonly flags: readonly string[];
  /** What else is true of this read alone: `ttl`, `detail`. */
  readonly about: readonly string[];
}

/** `withKeys` shows what each member was asked for, which is for those who may see it. */
export function serializeCacheStatus(trails: readonly CacheTrail[], nowMs: number, withKeys: boolean): string {
  return (withKeys ? undefined : serializePlainHit(trails, nowMs)) ?? serializeTrails(trails, nowMs, withKeys);
}

/** By far the most frequent: one tier was asked, and had the list. The same text as below, without what leads to it. */
function serializePlainHit([trail, ...others]: readonly CacheTrail[], nowMs: number): string | undefined {
  const asked = trail?.tiers[0];
  const isPlain =
    others.length === 0 && trail?.tiers.length === 1 && trail.regions.length === 0 && trail.detail === undefined;
  if (!isPlain || asked?.outcome !== 'hit' || trail.entry?.value.kind !== 'list') return undefined;
  return `${asked.tier}; hit; ttl=${Math.floor((trail.entry.freshUntilMs - nowMs) / 1000)}`;
}

const serializeTrails = (trails: readonly CacheTrail[], nowMs: number, withKeys: boolean): string =>
  trails
    .flatMap((trail) => {
      const key = withKeys ? [serializeKey(trail.key)] : [];
      return membersOf(trail, nowMs).map(({ name, isHit, flags, about }) =>
        serializeMember(name, [isHit ? 'hit' : '', ...flags, ...about, ...key]),
      );
    })
    .join(', ');

export const serializeMember = (name: string, parameters: readonly string[]): string =>
  [name, ...parameters.filter(Boolean)].join('; ');

/** From the one closest to the origin. */
export const membersOf = (trail: CacheTrail, nowMs: number): Member[] => [
  ...trail.regions.flatMap((asked) => regionMembersOf(asked, trail, nowMs)),
  ...trail.tiers.toReversed().map((asked) => cacheMember(asked.tier, asked, trail, nowMs)),
];

export const originName = (region: string): string => `origin-${region}`;
export const objectName = (region: string): string => `region-${region}`;

/** The region's origin, of whose own memory nothing is told here, and its object, which is closer to the listener. */
function regionMembersOf({ region, object, origin }: RegionAsked, trail: CacheTrail, nowMs: number): Member[] {
  const members: Member[] = [];
  if (origin !== undefined) {
    const { status, detail } = origin;
    const isAnswer = detail === undefined && (status === 200 || status === 404);
    const flags = ['fwd=miss', status === undefined ? '' : `fwd-status=${status}`];
    members.push({
      name: originName(region),
      isHit: false,
      isAnswer,
      flags,
      about: [withDetail(detail ?? trail.detail)],
    });
  }
  if (object !== undefined) members.push(cacheMember(objectName(region), object, trail, nowMs));
  return members;
}

const FORWARDED = { miss: 'fwd=miss', error: 'fwd=miss', stale: 'fwd=stale', bypass: 'fwd=bypass' } as const;

function cacheMember(name: string, asked: Omit<Asked, 'tier'>, trail: CacheTrail, nowMs: number): Member {
  const { outcome, isCollapsed, detail: ownDetail } = asked;
  const { entry, stored, detail } = trail;
  if (outcome === 'hit' || outcome === 'stale-while-revalidate' || outcome === 'stale-if-error') {
    // Below 0 for what is stale (RFC 9211, section 2.4).
    const ttl = entry === undefined ? '' : `ttl=${Math.floor((entry.freshUntilMs - nowMs) / 1000)}`;
    const why = outcome === 'hit' ? (entry?.value.kind === 'absent' ? 'absent' : detail) : outcome;
    return { name, isHit: true, isAnswer: true, flags: [], about: [ttl, withDetail(why)] };
  }
  const isStored = asked.isStored ?? (stored && outcome !== 'bypass');
  const flags = [FORWARDED[outcome], isStored ? 'stored' : '', isCollapsed ? 'collapsed' : ''];
  const why = ownDetail ?? (outcome === 'error' ? 'error' : detail);
  return { name, isHit: false, isAnswer: false, flags, about: [withDetail(why)] };
}

const withDetail = (detail: string | undefined): string => (detail === undefined ? '' : `detail=${detail}`);
