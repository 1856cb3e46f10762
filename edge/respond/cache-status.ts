// Cache-Status (RFC 9211): one member for each cache and region that was asked, from the one closest to the origin to
// the one closest to the listener. Members are structured fields (RFC 9651): names are tokens, `detail` is a token,
// `key` a string, numbers are integers.
import type { ManifestTrail } from '../manifest/manifest-error.ts';
import type { CacheTrail, RegionLookup } from '../reads/trail.ts';
import type { TierLookup } from '../tiers/tier.ts';
import { serializeKey } from './debug.ts';

/** The trail of a request that found no manifest. */
export const serializeManifestStatus = ({ regions, detail }: ManifestTrail, withKeys: boolean): string =>
  [
    ...regions.map(({ region, origin = {} }) =>
      serializeMember(originName(region), [
        'fwd=miss',
        origin.status === undefined ? '' : `fwd-status=${origin.status}`,
        withDetail(origin.detail),
      ]),
    ),
    ...['colo', 'isolate'].map((tier) => serializeMember(tier, ['fwd=miss', withDetail(`manifest-${detail}`)])),
  ]
    .map((member) => (withKeys ? `${member}; key="manifest"` : member))
    .join(', ');

/** The part that one cache or region had in one read. */
export interface Member {
  readonly name: string;
  /** Whether it served the read from its cache. */
  readonly isHit: boolean;
  /** Whether it answered the read. */
  readonly isAnswer: boolean;
  /** Parameters of a forwarded read: `fwd`, `fwd-status`, `stored`, `collapsed`. */
  readonly flags: readonly string[];
  /** Parameters of this read alone: `ttl`, `detail`. */
  readonly own: readonly string[];
}

/** `withKeys` adds each member's cache key; only callers with the debug scope may see it. */
export function serializeCacheStatus(trails: readonly CacheTrail[], nowMs: number, withKeys: boolean): string {
  return (withKeys ? undefined : serializeSingleHit(trails, nowMs)) ?? serializeTrails(trails, nowMs, withKeys);
}

/**
 * Fast path of the most frequent case, a hit in the only tier that was asked. The text equals that of the general case.
 */
function serializeSingleHit([trail, ...others]: readonly CacheTrail[], nowMs: number): string | undefined {
  const lookup = trail?.tiers[0];
  const isSingle =
    others.length === 0 &&
    trail?.tiers.length === 1 &&
    trail.regions.length === 0 &&
    trail.detail === undefined &&
    trail.switches === undefined;
  if (!isSingle || lookup?.outcome !== 'hit' || trail.entry?.value.kind !== 'list') return undefined;
  return `${lookup.tier}; hit; ttl=${Math.floor((trail.entry.freshUntilMs - nowMs) / 1000)}`;
}

const serializeTrails = (trails: readonly CacheTrail[], nowMs: number, withKeys: boolean): string =>
  trails
    .flatMap((trail) => {
      const key = withKeys ? [serializeKey(trail.key)] : [];
      return membersOf(trail, nowMs).map(({ name, isHit, flags, own }) =>
        serializeMember(name, [isHit ? 'hit' : '', ...flags, ...own, ...key]),
      );
    })
    .join(', ');

export const serializeMember = (name: string, parameters: readonly string[]): string =>
  [name, ...parameters.filter(Boolean)].join('; ');

/** The members of one trail, from the one closest to the origin. */
export const membersOf = (trail: CacheTrail, nowMs: number): Member[] => [
  ...trail.regions.flatMap((lookup) => regionMembersOf(lookup, trail, nowMs)),
  ...trail.tiers.map((lookup, i) => cacheMember(lookup.tier, lookup, trail, nowMs, i === 0)).reverse(),
];

export const originName = (region: string): string => `origin-${region}`;
export const objectName = (region: string): string => `region-${region}`;

/** The region's origin, without its own memory, and the region's object, which is closer to the listener. */
function regionMembersOf({ region, object, origin }: RegionLookup, trail: CacheTrail, nowMs: number): Member[] {
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
      own: [withDetail(detail ?? trail.detail)],
    });
  }
  if (object !== undefined) members.push(cacheMember(objectName(region), object, trail, nowMs));
  return members;
}

const FORWARDED = { miss: 'fwd=miss', error: 'fwd=miss', stale: 'fwd=stale', bypass: 'fwd=bypass' } as const;

/** `isNearest`: the member that also names the switches. */
function cacheMember(
  name: string,
  lookup: Omit<TierLookup, 'tier'>,
  trail: CacheTrail,
  nowMs: number,
  isNearest = false,
): Member {
  const detailOf = (own: string | undefined): string => withDetail(isNearest ? withSwitches(own, trail.switches) : own);
  const { outcome, isCollapsed, detail: ownDetail } = lookup;
  const { entry, stored, detail } = trail;
  if (outcome === 'hit' || outcome === 'stale-while-revalidate' || outcome === 'stale-if-error') {
    // Negative for a stale entry (RFC 9211, section 2.4).
    const ttl = entry === undefined ? '' : `ttl=${Math.floor((entry.freshUntilMs - nowMs) / 1000)}`;
    const hitDetail = entry?.value.kind === 'absent' ? 'absent' : detail;
    const own = [ttl, detailOf(outcome === 'hit' ? hitDetail : outcome)];
    return { name, isHit: true, isAnswer: true, flags: [], own };
  }
  const isStored = lookup.isStored ?? (stored && outcome !== 'bypass');
  const flags = [FORWARDED[outcome], isStored ? 'stored' : '', isCollapsed ? 'collapsed' : ''];
  const own = [detailOf(ownDetail ?? (outcome === 'error' ? 'error' : detail))];
  return { name, isHit: false, isAnswer: false, flags, own };
}

/** `popular/switch:surface.home+hedging`: one token (RFC 9651, section 3.3.4). */
const withSwitches = (detail: string | undefined, switches: string | undefined): string | undefined =>
  switches === undefined ? detail : [detail, `switch:${switches}`].filter(Boolean).join('/');

const withDetail = (detail: string | undefined): string => (detail === undefined ? '' : `detail=${detail}`);
