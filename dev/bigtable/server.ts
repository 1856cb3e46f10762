// The embedded Bigtable: Google's gRPC API over rows in memory, with several clusters, replication, app-profile routing
// and injected faults. For one machine and for tests. Data outlives the process only in a journal.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import type { ControlListener } from '../control-listener.ts';
import { createBackupCalls } from './admin/backups.ts';
import { Instance, type Instances } from './admin/instance.ts';
import { createInstanceAdminService } from './admin/instance-admin-service.ts';
import type { InstanceRecord } from './admin/instance-records.ts';
import { replay } from './admin/replay.ts';
import { createTableAdminService } from './admin/table-admin-service.ts';
import { createDataService } from './api/data-service.ts';
import { createGate } from './api/gate.ts';
import { startControl } from './control.ts';
import { ClusterCounters } from './counters.ts';
import type { EmbeddedBigtable } from './embedded-bigtable.ts';
import { Faults, faultSchema } from './faults.ts';
import { type Journal, openJournal } from './journal.ts';
import { checkPortIsFree, makeListenError } from './ports.ts';
import type { ReplicationSettings } from './replication/replication.ts';
import { loadProtocol } from './wire/protocol.ts';

export interface BigtableOptions {
  /** Port; 0 picks a free one. Default: 0. */
  port?: number;
  /** Address to listen on. Default: 127.0.0.1. */
  host?: string;
  /** Cluster names, in the order in which a multi-cluster profile tries them. Default: asia, europe, us. */
  clusters?: readonly string[];
  /**
   * Time from a commit in one cluster until the others apply it, in milliseconds. 0 applies it before the commit is
   * answered. Default: 0.
   */
  replicationLagMs?: number;
  /** File that keeps all writes; a server that starts with it has them again. Default: none. */
  journal?: string;
  /** Port of the HTTP control API on 127.0.0.1; 0 picks a free one. Default: no control port. */
  controlPort?: number;
  /** Clock of server timestamps, garbage collection by age, latency and lag. Default: the system clock. */
  clock?: Clock;
  /** Random numbers from 0 to below 1 that pick the calls with an injected error. Default: Math.random. */
  random?: () => number;
}

const DEFAULT_CLUSTERS = ['asia', 'europe', 'us'];

/** Bigtable's limit for a request. */
const MAX_REQUEST_BYTES = 256 * 1024 * 1024;

/** Rejects with a one-line error if the port is in use. */
export async function startBigtable(options: BigtableOptions = {}): Promise<EmbeddedBigtable> {
  const { host = '127.0.0.1', clusters = DEFAULT_CLUSTERS, clock = systemClock, random = Math.random } = options;
  const [first, ...rest] = clusters;
  if (first === undefined) throw new Error('expected at least one cluster, got none');
  const names: [string, ...string[]] = [first, ...rest];

  const replication: ReplicationSettings = { lagMs: options.replicationLagMs ?? 0, stopped: new Set() };
  const faults = new Faults(clock, random);
  const counters = new Map(names.map((name) => [name, new ClusterCounters()]));
  const countersOf = (cluster: string): ClusterCounters => {
    const found = counters.get(cluster);
    if (found === undefined) throw new Error(`expected the cluster to be one of ${names.join(', ')}, got '${cluster}'`);
    return found;
  };
  const byName = new Map<string, Instance>();
  let journal: Journal<InstanceRecord> | undefined;
  const record = options.journal === undefined ? undefined : (each: InstanceRecord) => journal?.append(each);
  const instances = (name: string): Instance => {
    const instance = byName.get(name) ?? new Instance(name, names, replication, clock, record);
    byName.set(name, instance);
    return instance;
  };
  journal = openInstanceJournal(options.journal, instances, replication);
  const reschedule = () => {
    for (const instance of byName.values()) instance.replicator.reschedule();
  };

  const { server, port } = await listen(host, options.port ?? 0, (grpc) => {
    const protocol = loadProtocol();
    grpc.addService(protocol.data, createDataService(createGate(instances, faults, countersOf), faults, clock));
    const backups = createBackupCalls(instances, clock, protocol);
    grpc.addService(protocol.tableAdmin, { ...createTableAdminService(instances), ...backups });
    grpc.addService(protocol.instanceAdmin, createInstanceAdminService(instances, protocol.serializeProfile));
  });

  let control: ControlListener | undefined;
  const bigtable: EmbeddedBigtable = {
    port,
    endpoint: `${host}:${port}`,
    get controlPort() {
      return control?.port;
    },
    clusters: () =>
      names.map((name) => ({
        name,
        fault: faults.get(name),
        isReplicationStopped: replication.stopped.has(name),
        pendingWrites: [...byName.values()].reduce((sum, instance) => sum + instance.replicator.pendingTo(name), 0),
        counters: countersOf(name).snapshot(),
      })),
    setFault: (cluster, fault) => {
      countersOf(cluster);
      faults.set(cluster, faultSchema.parse(fault));
    },
    replicationLagMs: () => replication.lagMs,
    setReplicationLag: (lagMs) => {
      replication.lagMs = lagMs;
      reschedule();
    },
    stopReplication: (cluster) => {
      countersOf(cluster);
      replication.stopped.add(cluster);
      reschedule();
    },
    resumeReplication: (cluster) => {
      replication.stopped.delete(cluster);
      reschedule();
    },
    counters: (cluster) => countersOf(cluster).snapshot(),
    resetCounters: () => {
      for (const ofCluster of counters.values()) ofCluster.reset();
    },
    close: async () => {
      server.forceShutdown();
      for (const instance of byName.values()) instance.replicator.close();
      await control?.close();
      journal?.close();
    },
  };
  if (options.controlPort !== undefined) {
    control = await startControl(bigtable, options.controlPort).catch(async (error: unknown) => {
      await bigtable.close();
      throw error;
    });
  }
  return bigtable;
}

/** Replays the journal: every cluster has every write of before. */
function openInstanceJournal(
  path: string | undefined,
  instances: Instances,
  settings: ReplicationSettings,
): Journal<InstanceRecord> | undefined {
  if (path === undefined) return undefined;
  const { lagMs } = settings;
  settings.lagMs = 0;
  const journal = openJournal<InstanceRecord>(path, (record) => replay(instances(record.instance), record));
  settings.lagMs = lagMs;
  return journal;
}

async function listen(
  host: string,
  port: number,
  addServices: (server: Server) => void,
): Promise<{ server: Server; port: number }> {
  await checkPortIsFree(host, port);
  const server = new Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_send_message_length': -1,
  });
  addServices(server);
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve({ server, port: bound });
      else reject(makeListenError(host, port, error));
    });
  });
}
