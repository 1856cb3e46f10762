// The state of the local cloud, read from its worker and from each origin.
import { type EdgeStatus, edgeStatusSchema, STATUS_PATH } from '../shared/edge-status.ts';
import { LISTENER_AUDIENCE } from '../shared/identity.ts';
import { DEV_LOCATION_HEADER } from '../shared/regions.ts';
import { fetchJson } from './fetch-json.ts';
import { computeHits, type TierHits } from './hit-ratios.ts';
import { mintToken } from './mint-token.ts';
import { type OriginFigures, readOriginFigures } from './origin-figures.ts';
import type { LocalCloud } from './settings.ts';

const TOKEN_LIFETIME_MS = 60_000;

export interface CloudStatus {
  readonly edge: EdgeStatus;
  readonly tiers: readonly TierHits[];
  readonly origins: readonly OriginFigures[];
}

/** As seen by a caller at the data centre `from`. Throws an Error when the worker does not answer; an origin that does not is told of in its place. */
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
