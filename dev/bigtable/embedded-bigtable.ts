// The embedded Bigtable as tests and the control listener see it: state, faults and replication.
import type { ClusterSite } from './admin/instance-admin-service.ts';
import type { CountersSnapshot } from './counters.ts';
import type { Fault } from './faults.ts';

export interface ClusterState extends ClusterSite {
  fault: Fault;
  /** Whether it is cut off from the other clusters. */
  isReplicationStopped: boolean;
  /** Writes of other clusters that it has yet to apply. */
  pendingWrites: number;
  counters: CountersSnapshot;
}

export interface EmbeddedBigtable {
  readonly port: number;
  /** `host:port`, as BIGTABLE_EMULATOR_HOST wants it. */
  readonly endpoint: string;
  readonly controlPort: number | undefined;
  clusters(): ClusterState[];
  /** Replaces the cluster's fault; `{}` heals it. Throws for an unknown cluster or a malformed fault. */
  setFault(cluster: string, fault: Fault): void;
  replicationLagMs(): number;
  setReplicationLag(lagMs: number): void;
  /** Cuts the cluster off: it neither sends nor receives until it is resumed. */
  stopReplication(cluster: string): void;
  resumeReplication(cluster: string): void;
  counters(cluster: string): CountersSnapshot;
  resetCounters(): void;
  close(): Promise<void>;
}
