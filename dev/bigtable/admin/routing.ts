// Which cluster answers a call, by the app profile it names.

import { failedPrecondition, unavailable } from '../wire/status.ts';
import type { AppProfile } from './app-profiles.ts';

/**
 * Single-cluster: that one, up or down. Multi-cluster: the first of the profile's clusters (of the server's, if it
 * names none) that is up; Bigtable takes the nearest, but here all callers are in one place.
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

/** CheckAndMutateRow needs one cluster that decides, and a profile that allows it. */
export function checkTransactions({ routing }: AppProfile): void {
  if (routing.kind === 'single-cluster' && routing.allowsTransactions) return;
  throw failedPrecondition('Single-row transactions are not allowed by this app profile');
}
