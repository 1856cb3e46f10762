// The facts that the doctor judges: what the edge, the origins and Bigtable answer. All of it is read only.
import { randomUUID } from 'node:crypto';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type EdgeStatus, edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { mintOriginToken } from '../../shared/wire/origin-token.ts';
import { MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import { liveHeartbeats, readHeartbeats, type StoredHeartbeat } from '../bigtable/heartbeats.ts';
import { type KeptManifest, RECENT_VERSIONS, readManifestRow } from '../bigtable/manifest-row.ts';
import type { Retries } from '../bigtable/retry.ts';
import { applySchema } from '../bigtable/schema/schema.ts';
import type { SchemaChange } from '../bigtable/schema/schema-change.ts';
import { type Deployment, DOCTOR } from './deployment.ts';
import { type Probe, probe } from './probe.ts';

export interface EdgeFacts {
  readonly health: Probe;
  /** A read of a user that no cache knows, with debug output. Undefined without a token. */
  readonly read: Probe | undefined;
  /** Undefined without a token. */
  readonly statusProbe: Probe | undefined;
  readonly status: EdgeStatus | undefined;
}

export interface OriginFacts {
  readonly region: string;
  readonly url: string;
  readonly ready: Probe;
  /** The manifest, with a token for this region. */
  readonly manifest: Probe;
  /** The region whose token the origin accepts, if it refuses that of its own. */
  readonly acceptsTokenOf: string | undefined;
}

/** Each part is an Error if it could not be read, and undefined if it was not asked for. */
export interface TableFacts {
  readonly manifests: readonly KeptManifest[] | Error;
  readonly heartbeats: readonly StoredHeartbeat[] | Error;
  readonly schema: readonly SchemaChange[] | Error | undefined;
}

export interface Facts {
  readonly edge: EdgeFacts;
  /** Undefined: not asked. */
  readonly origins: readonly OriginFacts[] | undefined;
  readonly table: TableFacts;
}

export async function examine(deployment: Deployment, bigtable: BigtableConnection): Promise<Facts> {
  const [table, origins] = await Promise.all([examineTable(deployment, bigtable), examineOrigins(deployment)]);
  const edge = await examineEdge(deployment, newestManifest(table));
  return { edge, origins, table };
}

export function newestManifest({ manifests }: TableFacts): Manifest | undefined {
  return manifests instanceof Error ? undefined : manifests.find(({ manifest }) => manifest !== undefined)?.manifest;
}

async function examineEdge({ edgeUrl, token }: Deployment, manifest: Manifest | undefined): Promise<EdgeFacts> {
  const health = await probe(`${edgeUrl}/healthz`);
  if (token === undefined || health.status === undefined)
    return { health, read: undefined, statusProbe: undefined, status: undefined };
  const headers = { authorization: `Bearer ${token}` };
  const [surface = 'home'] = Object.keys(manifest?.surfaces ?? {});
  const user = `${DOCTOR}:${randomUUID()}`;
  const url = `${edgeUrl}/v1/users/${user}/recommendations/${surface}?fallback=none`;
  const read = await probe(url, { ...headers, 'earshot-debug': '1' });
  // The status comes last: it knows the builds and the regions that the read has met.
  const statusProbe = await probe(`${edgeUrl}${STATUS_PATH}`, headers);
  const { data: status } = edgeStatusSchema.safeParse(statusProbe.json);
  return { health, read, statusProbe, status };
}

async function examineOrigins({ origins }: Deployment): Promise<OriginFacts[] | undefined> {
  if (origins === undefined) return undefined;
  const { regions, secret } = origins;
  const askAs = async (region: string, url: string): Promise<Probe> => {
    const token = await mintOriginToken(secret, { subject: 'earshot', region, nowMs: systemClock.now() });
    return probe(`${url}${MANIFEST_PATH}`, { authorization: `Bearer ${token}` });
  };
  return Promise.all(
    regions.map(async ({ name, origin }) => {
      const [ready, manifest] = await Promise.all([probe(`${origin}/readyz`), askAs(name, origin)]);
      const others = manifest.status === 401 ? regions.filter((other) => other.name !== name) : [];
      const accepted = await Promise.all(others.map(async (other) => (await askAs(other.name, origin)).status === 200));
      const acceptsTokenOf = others.find((_, i) => accepted[i])?.name;
      return { region: name, url: origin, ready, manifest, acceptsTokenOf };
    }),
  );
}

/** One failure tells enough: the doctor is asked again after its remedy. */
const RETRIES: Retries = { clock: systemClock, random: Math.random, totalMs: 0 };

async function examineTable({ clusters }: Deployment, bigtable: BigtableConnection): Promise<TableFacts> {
  const control = { bigtable, appProfile: APP_PROFILES.control, retries: RETRIES };
  const orError = <T>(work: Promise<T>): Promise<T | Error> => work.catch((error: unknown) => error as Error);
  const readSchema = async (): Promise<SchemaChange[]> => {
    const changes: SchemaChange[] = [];
    await applySchema(bigtable, { clusters: clusters ?? {}, dryRun: true }, (change) => changes.push(change));
    return changes;
  };
  const [manifests, heartbeats, schema] = await Promise.all([
    orError(readManifestRow(control, RECENT_VERSIONS)),
    orError(readHeartbeats(control).then((all) => liveHeartbeats(all, systemClock.now()))),
    clusters === undefined ? undefined : orError(readSchema()),
  ]);
  return { manifests, heartbeats, schema };
}
