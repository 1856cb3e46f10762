// App profiles in the form of the instance admin API, checked against the instance's clusters.
import type { AppProfileMessage } from '../wire/messages.ts';
import { invalidArgument, unimplemented } from '../wire/status.ts';

export type Routing =
  | { kind: 'single-cluster'; cluster: string; allowsTransactions: boolean }
  | { kind: 'multi-cluster'; clusters: readonly string[] };

export interface AppProfile {
  readonly id: string;
  readonly description: string;
  readonly etag: string;
  readonly routing: Routing;
  readonly priority: string;
}

/**
 * Every instance's initial profile. It is the one that Google creates for an instance with one cluster, here the first
 * cluster. It routes to that cluster and allows single-row transactions. An instance created with several clusters gets
 * a multi-cluster default; the embedded Bigtable does not model that.
 */
export function defaultProfile(firstCluster: string): AppProfile {
  const routing: Routing = { kind: 'single-cluster', cluster: firstCluster, allowsTransactions: true };
  return { id: 'default', description: '', etag: '1', routing, priority: 'PRIORITY_HIGH' };
}

/** Makes a profile from the message of a create call. Throws INVALID_ARGUMENT for an invalid one. */
export function parseProfile(id: string, message: AppProfileMessage, clusters: readonly string[]): AppProfile {
  if (!/^[_a-zA-Z0-9][-_.a-zA-Z0-9]{0,49}$/.test(id))
    throw invalidArgument(`Invalid id for collection appProfiles : '${id}'`);
  return {
    id,
    description: message.description,
    etag: '1',
    routing: parseRouting(message, clusters),
    priority: parsePriority(message),
  };
}

/** The profile with the fields in `paths` replaced from the message, like an update mask. */
export function updateProfile(
  profile: AppProfile,
  message: AppProfileMessage,
  paths: readonly string[],
  clusters: readonly string[],
): AppProfile {
  let { description, routing, priority } = profile;
  for (const path of paths) {
    const field = path.split('.')[0]?.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    if (field === 'description') description = message.description;
    else if (field === 'singleClusterRouting' || field === 'multiClusterRoutingUseAny')
      routing = parseRouting(message, clusters);
    else if (field === 'standardIsolation' || field === 'priority') priority = parsePriority(message);
    else throw invalidArgument(`Invalid update mask path '${path}'`);
  }
  return { ...profile, description, routing, priority, etag: String(Number(profile.etag) + 1) };
}

export function toMessage(instance: string, profile: AppProfile): AppProfileMessage {
  const { id, etag, description, routing, priority } = profile;
  const common = { name: `${instance}/appProfiles/${id}`, etag, description, standardIsolation: { priority } };
  if (routing.kind === 'multi-cluster')
    return { ...common, multiClusterRoutingUseAny: { clusterIds: [...routing.clusters] } };
  const { cluster, allowsTransactions } = routing;
  return { ...common, singleClusterRouting: { clusterId: cluster, allowTransactionalWrites: allowsTransactions } };
}

function parseRouting(message: AppProfileMessage, clusters: readonly string[]): Routing {
  const { singleClusterRouting: single, multiClusterRoutingUseAny: any } = message;
  const named = single !== undefined ? [single.clusterId] : any?.clusterIds;
  if (named === undefined) throw invalidArgument('App profile must have a routing policy');
  for (const cluster of named) {
    if (!clusters.includes(cluster)) {
      throw invalidArgument(`expected the cluster to be one of ${clusters.join(', ')}, got '${cluster}'`);
    }
  }
  if (single === undefined) return { kind: 'multi-cluster', clusters: named };
  return { kind: 'single-cluster', cluster: single.clusterId, allowsTransactions: single.allowTransactionalWrites };
}

function parsePriority(message: AppProfileMessage): string {
  if (message.isolation === 'dataBoostIsolationReadOnly')
    throw unimplemented('Data Boost app profiles are not implemented');
  const priority = message.standardIsolation?.priority ?? message.priority ?? 'PRIORITY_UNSPECIFIED';
  return priority === 'PRIORITY_UNSPECIFIED' ? 'PRIORITY_HIGH' : priority;
}
