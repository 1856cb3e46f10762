// Routing of a call to a cluster by its app profile.
import { failedPrecondition, unavailable } from '../wire/status.ts';
import type { AppProfile } from './app-profiles.ts';

/**
 * Single-cluster profile: its cluster, up or down. Multi-cluster profile: its first cluster that is up; a profile
 * without clusters uses those of the server. Cloud Bigtable picks the nearest cluster; here all callers are in one
 * place.
 */
export function pickCluster(
  profile: AppProfile,
  clusters: readonly string[],
  isDown: (cluster: string) => boolean,
): string {
  const { routing } = profile;
  if (routing.kind === 'single-cluster') return routing.cluster;
  const candidates = routing.clusters.length > 0 ? routing.clusters : clusters;
  const picked = candidates.find((cluster) => !isDown(cluster));
  if (picked === undefined) throw unavailable('no cluster of the app profile is reachable');
  return picked;
}

/** CheckAndMutateRow needs a single-cluster profile that allows transactions. */
export function checkTransactions({ routing }: AppProfile): void {
  if (routing.kind === 'single-cluster' && routing.allowsTransactions) return;
  throw failedPrecondition('Single-row transactions are not allowed by this app profile');
}
