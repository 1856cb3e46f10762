// The faults of the local cloud, through the control listeners of `npm start`: one for the region proxies, one for the
// embedded Bigtable.
import { z } from 'zod';
import { fetchJson } from '../cli/http.ts';
import type { LocalCloud } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import { partsSchema } from '../status/part-status.ts';
import { type RegionFault, regionFaultsSchema } from './region-fault.ts';

const clusterFaultSchema = z.looseObject({
  down: z.boolean().optional(),
  blackHole: z.boolean().optional(),
  latencyMs: z.number().optional(),
  latencyShare: z.number().optional(),
  jitterMs: z.number().optional(),
  errorShare: z.number().optional(),
  rowsPerSecond: z.number().optional(),
});

/** `{}` is no fault. */
export interface ClusterFault
  extends Pick<RegionFault, 'down' | 'blackHole' | 'latencyMs' | 'latencyShare' | 'jitterMs' | 'errorShare'> {
  readonly rowsPerSecond?: number | undefined;
}

const bigtableSchema = z.object({
  replicationLagMs: z.number(),
  initialReplicationLagMs: z.number(),
  clusters: z.array(z.object({ name: z.string(), fault: clusterFaultSchema, isReplicationStopped: z.boolean() })),
});

export interface Replication {
  readonly lagMs: number;
  /** Regions whose clusters are cut off from the others. */
  readonly stopped: readonly string[];
}

export interface BigtableFaults {
  /** By region. */
  readonly clusters: Readonly<Record<string, ClusterFault>>;
  readonly replication: Replication & { readonly initialLagMs: number };
}

export interface FaultState {
  /** By region. */
  readonly regions: Readonly<Record<string, RegionFault>>;
  /** Undefined without the embedded Bigtable. */
  readonly bigtable: BigtableFaults | undefined;
}

export interface LocalFaults {
  read(): Promise<FaultState>;
  /** Each call replaces the previous fault. */
  setRegion(region: string, fault: RegionFault): Promise<void>;
  setCluster(region: string, fault: ClusterFault): Promise<void>;
  setReplication(replication: Replication): Promise<void>;
  /** Kills the processes of a part, which is started again. Throws a UsageError for an unknown one. */
  kill(part: string): Promise<void>;
}

/**
 * Each call throws an Error if the local cloud does not answer. Calls for Bigtable throw a UsageError without the
 * embedded one.
 */
export function createLocalFaults({ controlUrl, bigtableControlUrl, clusters }: LocalCloud): LocalFaults {
  const clusterOf = (region: string): string => clusters[region] ?? region;
  const regionOf = (cluster: string): string =>
    Object.entries(clusters).find(([, name]) => name === cluster)?.[0] ?? cluster;

  async function readBigtable(url: string): Promise<BigtableFaults> {
    const state = await call(bigtableSchema, `${url}/clusters`);
    const cutOff = state.clusters.filter(({ isReplicationStopped }) => isReplicationStopped);
    return {
      clusters: Object.fromEntries(state.clusters.map(({ name, fault }) => [regionOf(name), fault as ClusterFault])),
      replication: {
        lagMs: state.replicationLagMs,
        stopped: cutOff.map(({ name }) => regionOf(name)),
        initialLagMs: state.initialReplicationLagMs,
      },
    };
  }

  function requireBigtable(): string {
    if (bigtableControlUrl !== undefined) return bigtableControlUrl;
    throw new UsageError('no embedded Bigtable in this local cloud: only that one takes faults');
  }

  return {
    read: async () => {
      const { regions } = await call(regionFaultsSchema, `${controlUrl}/regions`);
      return {
        regions: Object.fromEntries(regions.map(({ name, fault }) => [name, fault])),
        bigtable: bigtableControlUrl === undefined ? undefined : await readBigtable(bigtableControlUrl),
      };
    },
    setRegion: async (region, fault) => {
      await call(regionFaultsSchema, `${controlUrl}/regions/${region}/fault`, fault);
    },
    setCluster: async (region, fault) => {
      await call(bigtableSchema, `${requireBigtable()}/clusters/${clusterOf(region)}/fault`, fault);
    },
    kill: async (part) => {
      const { parts } = await call(partsSchema, `${controlUrl}/parts`);
      const known = parts.map(({ name }) => name);
      if (!known.includes(part))
        throw new UsageError(`expected one of ${known.join(', ')}, got ${JSON.stringify(part)}`);
      await call(partsSchema, `${controlUrl}/parts/kill`, { part });
    },
    setReplication: async ({ lagMs, stopped }) => {
      await call(bigtableSchema, `${requireBigtable()}/replication`, { lagMs, stopped: stopped.map(clusterOf) });
    },
  };
}

/** GET, or PUT with a body. */
const call = <T>(schema: z.ZodType<T>, url: string, body?: object): Promise<T> =>
  fetchJson(schema, 'the local cloud', url, body === undefined ? {} : { method: 'PUT', body: JSON.stringify(body) });
