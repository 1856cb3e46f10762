// What Earshot-Debug: 1 adds to an answer, for those with the scope recs:debug: which regions would be asked in which order, and the
// decisions that led to this list. Structured fields (RFC 9651): a list of tokens, and a dictionary.
import { makeCacheKey } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Read, Served } from '../reads/serve-reads.ts';
import type { Call } from '../request/call.ts';

export const DEBUG_HEADER = 'Earshot-Debug';
export const REGIONS_HEADER = 'Earshot-Regions';
export const DECISION_HEADER = 'Earshot-Decision';

/** `read` under `manifest` in `call` became `served`. */
export const makeDebugHeaders = (
  read: Read,
  served: Served,
  manifest: Manifest,
  regions: readonly Region[],
): Record<string, string> => ({
  [REGIONS_HEADER]: serializeRegions({ regions }),
  [DECISION_HEADER]: serializeDecision(read, served, manifest),
});

export const serializeRegions = ({ regions }: Pick<Call, 'regions'>): string =>
  regions.map(({ name }) => name).join(', ');

export function serializeDecision(
  read: Read,
  { own, source, standsInFor }: Served,
  { version, surfaces }: Manifest,
): string {
  const variant = surfaces[own.surface]?.variants.find(({ name }) => name === own.variant);
  return [
    `manifest=${version}`,
    `variant=${own.variant};by=${read.variant === undefined ? 'weight' : 'preview'}`,
    // The generation that was asked for; that of the list, which may be an older one, is in the answer.
    `generation=${own.generation};by=${variant?.current === own.generation ? 'current' : 'ramp'}`,
    `source=${source}${standsInFor === undefined ? '' : `;by=${standsInFor}`}`,
  ].join(', ');
}

/** The parameter `key` of Cache-Status (RFC 9211, section 2.7); keys hold nothing that a string would have to escape. */
export const serializeKey = (key: Parameters<typeof makeCacheKey>[0]): string => `key="${makeCacheKey(key)}"`;
