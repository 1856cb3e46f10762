// The deployment that `earshot doctor` looks at: the local cloud, or one that flags and the environment name.
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { type ConnectionFlags, findTargetCloud, type LocalCloud, parseClusters } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { findOrigins, type Origins } from '../manifest/served-manifests.ts';
import { mintToken } from '../token/mint-token.ts';

export interface Deployment {
  readonly edgeUrl: string;
  /** Undefined: the origins are not asked. */
  readonly origins: Origins | undefined;
  /** The secrets at hand, by the name of the worker's variable. */
  readonly secrets: ReadonlyMap<string, string>;
  /** A token for the edge with SCOPES. Undefined: nothing that needs one is asked. */
  readonly token: string | undefined;
  /** Cluster id by region. Undefined: the schema is not compared. */
  readonly clusters: Readonly<Record<string, string>> | undefined;
}

export interface DoctorFlags extends ConnectionFlags {
  readonly edge?: string;
  readonly clusters?: string;
}

export const SCOPES = ['recs:status', 'recs:debug', 'recs:read:any'] as const;
/** The user that the doctor reads. No load has lists of it. */
export const DOCTOR = 'service:doctor';
const TOKEN_LIFETIME_MS = 60_000;

/** Throws a UsageError without an edge. */
export async function findDeployment(flags: DoctorFlags): Promise<Deployment> {
  const { EARSHOT_CLUSTERS, EARSHOT_TOKEN } = process.env;
  const local = findTargetCloud(flags);
  const edgeUrl = flags.edge ?? local?.edgeUrl;
  if (edgeUrl === undefined) throw new UsageError('expected --edge URL, or a local cloud in this directory');
  const secrets = findSecrets(local);
  const tokenSecret = secrets.get('TOKEN_SECRET');
  const clusters = flags.clusters ?? EARSHOT_CLUSTERS;
  return {
    edgeUrl: requireUrl(edgeUrl),
    origins: findOrigins(flags),
    secrets,
    token: EARSHOT_TOKEN || (tokenSecret === undefined ? undefined : await mint(tokenSecret)),
    clusters: clusters === undefined ? local?.clusters : parseClusters(clusters),
  };
}

function findSecrets(local: LocalCloud | undefined): Map<string, string> {
  const { EARSHOT_TOKEN_SECRET, EARSHOT_ORIGIN_SECRET, EARSHOT_HASH_KEY } = process.env;
  const all = [
    ['TOKEN_SECRET', EARSHOT_TOKEN_SECRET || local?.tokenSecret],
    ['ORIGIN_SECRET', EARSHOT_ORIGIN_SECRET || local?.originSecret],
    ['HASH_KEY', EARSHOT_HASH_KEY || local?.hashKey],
  ] as const;
  return new Map(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}

const mint = (secret: string): Promise<string> =>
  mintToken({ user: DOCTOR, scope: SCOPES, audience: LISTENER_AUDIENCE, expires: TOKEN_LIFETIME_MS }, secret);

/** The base URL of an edge, without a path. Throws a UsageError. */
function requireUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.username === '')
    return url.origin;
  throw new UsageError(`expected --edge like https://recs.example.com, got ${JSON.stringify(text)}`);
}
