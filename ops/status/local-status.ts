// The state of the local cloud, read from its worker and its origins.
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { DEV_LOCATION_HEADER } from '../../shared/domain/regions.ts';
import { type EdgeStatus, edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { fetchJson } from '../cli/http.ts';
import type { LocalCloud } from '../cli/settings.ts';
import { mintToken } from '../token/mint-token.ts';
import { computeHits, type TierHits } from './hit-ratios.ts';
import { type OriginFigures, readOriginFigures } from './origin-figures.ts';

const TOKEN_LIFETIME_MS = 60_000;

export interface CloudStatus {
  readonly edge: EdgeStatus;
  readonly tiers: readonly TierHits[];
  readonly origins: readonly OriginFigures[];
}

/**
 * The view of a caller at the data centre `from`. Throws an Error if the worker does not answer. An origin that does
 * not answer has the reason in its place.
 */
export async function readLocalStatus(cloud: LocalCloud, from: string | undefined): Promise<CloudStatus> {
  const [edge, ...origins] = await Promise.all([readEdge(cloud, from), ...cloud.regions.map(readOriginFigures)]);
  return { edge, tiers: computeHits(edge.counters, origins), origins };
}

async function readEdge({ edgeUrl, tokenSecret }: LocalCloud, from: string | undefined): Promise<EdgeStatus> {
  const token = await mintToken(
    { user: 'service:status', scope: ['recs:read:any'], audience: LISTENER_AUDIENCE, expires: TOKEN_LIFETIME_MS },
    tokenSecret,
  );
  const headers = { Authorization: `Bearer ${token}`, ...(from === undefined ? {} : { [DEV_LOCATION_HEADER]: from }) };
  return fetchJson(edgeStatusSchema, 'the edge', `${edgeUrl}${STATUS_PATH}`, { headers });
}
