// The exposure of an answer: a signed token, and behind it the tier and the region that answered, which are not signed.
import type { Region } from '../../shared/domain/regions.ts';
import type { Served } from '../reads/serve-reads.ts';
import { membersOf } from './cache-status.ts';

export const EXPOSURE_HEADER = 'Earshot-Exposure';

/** The tiers that an exposure can name. */
export const EXPOSURE_TIERS = ['isolate', 'colo', 'region', 'origin'] as const;
export type ExposureTier = (typeof EXPOSURE_TIERS)[number];

/** `TOKEN;tier=origin;region=asia`. `region`: the one nearest to the listener, for an answer that none took part in. */
export function serializeExposure(
  { token, region: nearest }: { readonly token: string; readonly region: string | undefined },
  served: Served,
  nowMs: number,
): string {
  const { tier, region = nearest } = answererOf(served, nowMs);
  return `${token};tier=${tier}${region === undefined ? '' : `;region=${region}`}`;
}

/** Undefined for a text of another form, or of a region that is not configured. */
export function parseExposure(text: string, regions: readonly Region[]) {
  const [, token = '', tier = '', region] =
    /^([A-Za-z0-9._-]+);tier=([a-z]{1,16})(?:;region=([a-z0-9-]{1,64}))?$/.exec(text) ?? [];
  const known = EXPOSURE_TIERS.find((each) => each === tier);
  if (known === undefined || (region !== undefined && !regions.some(({ name }) => name === region))) return undefined;
  return { token, tier: known, region };
}

/** The tier that answered for the user's own list, also where a popular list stands in for it. */
function answererOf({ trails: [trail] }: Served, nowMs: number): { tier: ExposureTier; region?: string | undefined } {
  // The most frequent case.
  if (trail?.tiers[0]?.outcome === 'hit' && trail.tiers.length === 1) return { tier: 'isolate' };
  const name = trail === undefined ? 'isolate' : (membersOf(trail, nowMs).find(({ isAnswer }) => isAnswer)?.name ?? '');
  const [, kind, region] = /^(region|origin)-(.+)$/.exec(name) ?? [];
  if (region !== undefined) return { tier: kind === 'region' ? 'region' : 'origin', region };
  return { tier: name === 'colo' ? 'colo' : 'isolate' };
}
