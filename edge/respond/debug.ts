// Output of Earshot-Debug: 1, which needs the scope recs:debug: the order of the regions, and the decisions that led to
// the list. Structured fields (RFC 9651): a list of tokens, and a dictionary.
import { makeCacheKey } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Builds } from '../builds.ts';
import type { Served } from '../reads/serve-reads.ts';

export const DEBUG_HEADER = 'Earshot-Debug';
export const REGIONS_HEADER = 'Earshot-Regions';
export const DECISION_HEADER = 'Earshot-Decision';
export const BUILDS_HEADER = 'Earshot-Builds';

export const makeDebugHeaders = (
  served: Served,
  manifest: Manifest,
  regions: readonly Region[],
  builds: Builds,
): Record<string, string> => ({
  [REGIONS_HEADER]: serializeRegions(regions),
  [DECISION_HEADER]: serializeDecision(served, manifest),
  [BUILDS_HEADER]: serializeBuilds(builds),
});

export const serializeRegions = (regions: readonly Region[]): string => regions.map(({ name }) => name).join(', ');

/** A build may hold characters that a string of RFC 9651 cannot. */
export const serializeBuilds = (builds: Builds): string =>
  builds
    .all()
    .map(({ part, build, messages }) => `${part}="${build.replace(/[^!#-[\]-~ ]/g, '?')}";messages=${messages}`)
    .join(', ');

export function serializeDecision(
  { own, assignment, source, fallbackReason }: Served,
  { version, surfaces }: Manifest,
): string {
  const variant = surfaces[own.surface]?.variants.find(({ name }) => name === own.variant);
  return [
    `manifest=${version}`,
    `variant=${own.variant};by=${assignment.reason};experiment=${assignment.experiment};salt="${assignment.salt}"`,
    // The requested generation. The answer has the list's generation, which can be older.
    `generation=${own.generation};by=${variant?.current === own.generation ? 'current' : 'ramp'}`,
    `source=${source}${fallbackReason === undefined ? '' : `;by=${fallbackReason}`}`,
  ].join(', ');
}

/** The parameter `key` of Cache-Status (RFC 9211, section 2.7). No character of a key needs escaping in a string. */
export const serializeKey = (key: Parameters<typeof makeCacheKey>[0]): string => `key="${makeCacheKey(key)}"`;
