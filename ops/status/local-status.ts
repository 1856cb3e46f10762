// The state of the local cloud, read from its worker and its origins.
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { DEV_LOCATION_HEADER } from '../../shared/domain/regions.ts';
import { type EdgeStatus, edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { fetchJson } from '../cli/http.ts';
import type { LocalCloud } from '../cli/settings.ts';
import { mintToken } from '../token/mint-token.ts';
import { computeHits, type TierHits } from './hit-ratios.ts';
import { type OriginFigures, readOriginFigures } from './origin-figures.ts';
import { type PartStatus, partsSchema } from './part-status.ts';

const TOKEN_LIFETIME_MS = 60_000;

export interface CloudStatus {
  /** Undefined while the worker starts. */
  readonly edge: EdgeStatus | undefined;
  readonly tiers: readonly TierHits[];
  readonly origins: readonly OriginFigures[];
  /** The processes of the local cloud. */
  readonly parts: readonly PartStatus[];
}

/**
 * The view of a caller at the data centre `from`. Throws an Error if the launcher or a started worker does not answer.
 * An origin that does not answer has the reason in its place.
 */
export async function readLocalStatus(cloud: LocalCloud, from: string | undefined): Promise<CloudStatus> {
  const { parts } = await fetchJson(partsSchema, 'the launcher', `${cloud.controlUrl}/parts`);
  const isStarting = parts.some(({ name, state }) => name === 'edge' && state === 'starting');
  const [edge, ...origins] = await Promise.all([
    isStarting ? undefined : readEdge(cloud, from),
    ...cloud.regions.map(readOriginFigures),
  ]);
  return { edge, tiers: edge === undefined ? [] : computeHits(edge.counters, origins), origins, parts };
}

async function readEdge({ edgeUrl, tokenSecret }: LocalCloud, from: string | undefined): Promise<EdgeStatus> {
  const token = await mintToken(
    { user: 'service:status', scope: ['recs:status'], audience: LISTENER_AUDIENCE, expires: TOKEN_LIFETIME_MS },
    tokenSecret,
  );
  const headers = { Authorization: `Bearer ${token}`, ...(from === undefined ? {} : { [DEV_LOCATION_HEADER]: from }) };
  return fetchJson(edgeStatusSchema, 'the edge', `${edgeUrl}${STATUS_PATH}`, { headers });
}
