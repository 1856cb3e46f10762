// Admission of a data call to a cluster. In order: the app profile picks the cluster, counters record the call, the
// cluster's faults apply, and the work starts.
import type { AppProfile } from '../admin/app-profiles.ts';
import type { Instance, Instances } from '../admin/instance.ts';
import { pickCluster } from '../admin/routing.ts';
import type { ClusterCounters } from '../counters.ts';
import type { CancellableCall, Faults } from '../faults.ts';
import { CANCELLED } from '../wire/calls.ts';

/** The cluster that admitted a call, with its instance, profile and counters. */
export interface Site {
  readonly instance: Instance;
  readonly profile: AppProfile;
  readonly cluster: string;
  readonly counters: ClusterCounters;
}

export interface Entry {
  readonly method: string;
  readonly instanceName: string;
  readonly appProfileId: string;
  readonly call: CancellableCall;
}

export type Gate = <T>(entry: Entry, work: (site: Site) => Promise<T> | T) => Promise<T | typeof CANCELLED>;

export function createGate(
  instances: Instances,
  faults: Faults,
  countersOf: (cluster: string) => ClusterCounters,
): Gate {
  return async ({ method, instanceName, appProfileId, call }, work) => {
    const instance = instances(instanceName);
    const profile = instance.profile(appProfileId);
    const cluster = pickCluster(profile, instance.clusters, (name) => faults.isDown(name));
    const counters = countersOf(cluster);
    counters.recordCall(method);
    try {
      if (!(await faults.admit(cluster, call))) return CANCELLED;
      const answer = await work({ instance, profile, cluster, counters });
      const lost = faults.lostAnswer(cluster);
      if (lost !== undefined) throw lost;
      return answer;
    } catch (error) {
      counters.recordFailure(method);
      throw error;
    }
  };
}
