// One isolate's version of the manifest, as the edge tells it. A local cloud has one isolate, so one answer is enough.
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { call, fetchJson } from '../cli/http.ts';
import { type ConnectionFlags, findTargetCloud } from '../cli/settings.ts';
import { mintToken, type TokenClaims } from '../token/mint-token.ts';

/** The version of the isolate that answered, 0 for none. Undefined if the edge does not answer. */
export type EdgeSample = () => Promise<{ readonly version: number } | undefined>;

const SAMPLE: Omit<TokenClaims, 'expires'> = {
  user: 'service:sample',
  scope: ['recs:status'],
  audience: LISTENER_AUDIENCE,
};
const TOKEN_LIFETIME_MS = 60_000;

/** The edge of the local cloud if that is the target, else none. */
export function findEdge(flags: ConnectionFlags): EdgeSample | undefined {
  const local = findTargetCloud(flags);
  if (local === undefined) return undefined;
  return async () => {
    try {
      const token = await mintToken({ ...SAMPLE, expires: TOKEN_LIFETIME_MS }, local.tokenSecret);
      const headers = { Authorization: `Bearer ${token}` };
      // An isolate looks at the age of its manifest when it serves a read.
      await call(`${local.edgeUrl}/v1/me/recommendations/popular?fallback=none`, { headers });
      const { manifest } = await fetchJson(edgeStatusSchema, 'the edge', `${local.edgeUrl}${STATUS_PATH}`, { headers });
      return { version: manifest.version ?? 0 };
    } catch {
      return undefined;
    }
  };
}
