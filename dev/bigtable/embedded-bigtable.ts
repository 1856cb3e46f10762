// Interface of the embedded Bigtable for tests and the control port: state, faults and replication.
import type { CountersSnapshot } from './counters.ts';
import type { Fault } from './faults.ts';

export interface ClusterState {
  name: string;
  fault: Fault;
  /** Whether replication from and to the cluster is stopped. */
  isReplicationStopped: boolean;
  /** Number of writes of other clusters that the cluster has not applied yet. */
  pendingWrites: number;
  counters: CountersSnapshot;
}

export interface EmbeddedBigtable {
  readonly port: number;
  /** `host:port`, the form of BIGTABLE_EMULATOR_HOST. */
  readonly endpoint: string;
  readonly controlPort: number | undefined;
  clusters(): ClusterState[];
  /** Replaces the cluster's fault; `{}` heals it. Throws for an unknown cluster or a malformed fault. */
  setFault(cluster: string, fault: Fault): void;
  replicationLagMs(): number;
  setReplicationLag(lagMs: number): void;
  /** Cuts the cluster off. It neither sends nor receives writes until replication resumes. */
  stopReplication(cluster: string): void;
  resumeReplication(cluster: string): void;
  counters(cluster: string): CountersSnapshot;
  resetCounters(): void;
  close(): Promise<void>;
}
