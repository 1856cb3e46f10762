// The way into a cluster: a call on data finds its cluster through its app profile, is counted there, passes the
// cluster's faults, and only then is worked on.
import type { AppProfile } from '../admin/app-profiles.ts';
import type { Instance, Instances } from '../admin/instance.ts';
import { pickCluster } from '../admin/routing.ts';
import type { ClusterCounters } from '../counters.ts';
import type { Faults, HeldCall } from '../faults.ts';
import { GONE } from '../wire/calls.ts';

/** Where a call has been let in. */
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
  readonly call: HeldCall;
}

export type Gate = <T>(entry: Entry, work: (site: Site) => Promise<T> | T) => Promise<T | typeof GONE>;

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
    counters.called(method);
    try {
      if (!(await faults.admit(cluster, call))) return GONE;
      return await work({ instance, profile, cluster, counters });
    } catch (error) {
      counters.failed(method);
      throw error;
    }
  };
}
