// The target of a command: flags first, then the environment, then the local cloud of this directory.
import { join } from 'node:path';
import { z } from 'zod';
import type { BigtableAddress, BigtableConnection } from '../../origin/bigtable/connection.ts';
import { describeProxy } from '../../origin/bigtable/proxy.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { readStateFile } from './state-file.ts';
import { UsageError } from './usage-error.ts';

export interface ConnectionFlags {
  readonly project?: string;
  readonly instance?: string;
}

/** Contents of `cloud.json`, which `npm start` writes into its state directory. */
export const localCloudSchema = z.object({
  project: z.string(),
  instance: z.string(),
  emulatorHost: z.string().optional(),
  /** Cluster id by region. */
  clusters: z.record(z.string(), z.string()),
  tokenSecret: z.string(),
  /** Signs calls to the origins. Absent in the file of an older cloud. */
  originSecret: z.string().optional(),
  /** Key of references to users. Absent in the file of an older cloud. */
  hashKey: z.string().optional(),
  edgeUrl: z.string(),
  /** Each region with the URL of its origin, as the worker uses it. */
  regions: z.array(
    z.object({
      name: z.string(),
      origin: z.string(),
      /** URL of the origin's metrics. Absent in the file of an older cloud. */
      metrics: z.string().optional(),
    }),
  ),
  /** URL of the launcher's control: faults of the region proxies, and the parts. */
  controlUrl: z.string(),
  /** Base address of the collector of spans; undefined if requests are not recorded. */
  tracesUrl: z.string().optional(),
  /** URL of the control of the embedded Bigtable. Absent with another Bigtable. */
  bigtableControlUrl: z.string().optional(),
});

export type LocalCloud = z.infer<typeof localCloudSchema>;

export const LOCAL_CLOUD_FILE = 'cloud.json';

/** Default: `.earshot` in the working directory. */
export const stateDirectory = (): string => process.env.EARSHOT_STATE_DIR || '.earshot';

/** The local cloud of this directory, or undefined. Throws an Error if its description is broken. */
export const findLocalCloud = (): LocalCloud | undefined =>
  readStateFile(join(stateDirectory(), LOCAL_CLOUD_FILE), localCloudSchema);

/** The local cloud of this directory if it is what `flags` and the environment name, or undefined. */
export function findTargetCloud(flags: ConnectionFlags): LocalCloud | undefined {
  const local = findLocalCloud();
  if (local === undefined) return undefined;
  const project = flags.project ?? process.env.EARSHOT_PROJECT ?? local.project;
  const instance = flags.instance ?? process.env.EARSHOT_INSTANCE ?? local.instance;
  return project === local.project && instance === local.instance ? local : undefined;
}

/** Throws a UsageError without a local cloud in this directory. */
export function requireLocalCloud(): LocalCloud {
  const cloud = findLocalCloud();
  if (cloud === undefined) throw new UsageError('no local cloud in this directory: start one with `npm start`');
  return cloud;
}

/** Throws a UsageError if no instance is configured. */
export function findInstance(flags: ConnectionFlags): BigtableAddress {
  const { EARSHOT_PROJECT, EARSHOT_INSTANCE, BIGTABLE_EMULATOR_HOST } = process.env;
  const project = flags.project ?? EARSHOT_PROJECT;
  const instance = flags.instance ?? EARSHOT_INSTANCE;
  if (project !== undefined && instance !== undefined) {
    return { project, instance, emulatorHost: BIGTABLE_EMULATOR_HOST };
  }
  const local = findLocalCloud();
  if (local === undefined || project !== undefined || instance !== undefined) {
    throw new UsageError(
      'no Bigtable instance: pass --project and --instance, set EARSHOT_PROJECT and EARSHOT_INSTANCE, or start a local cloud here with `npm start`',
    );
  }
  return local;
}

/** Runs `work` with a connection, and closes the connection afterwards. Loads the client of Bigtable. */
export async function withConnection<T>(
  flags: ConnectionFlags,
  work: (bigtable: BigtableConnection) => Promise<T>,
): Promise<T> {
  const address = findInstance(flags);
  const { connectBigtable } = await import('../../origin/bigtable/connection.ts');
  const bigtable = connectBigtable(address);
  try {
    return await work(bigtable);
  } catch (error) {
    throw address.emulatorHost === undefined ? withProxy(error) : error;
  } finally {
    await bigtable.close();
  }
}

/** A failure of Bigtable, with the proxy on the way to it. */
function withProxy(error: unknown): unknown {
  const proxy = describeProxy(process.env);
  if (proxy === undefined || !(error instanceof EarshotError) || error.code !== 'unavailable') return error;
  return new Error(`${error.message} (through the proxy of ${proxy})`, { cause: error });
}

/** Parses `asia=c1,europe=c2` into cluster ids by region. */
export function parseClusters(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => /^([a-z][a-z0-9-]{0,31})=([a-z][a-z0-9-]{0,29})$/.exec(pair.trim()));
  const clusters: Record<string, string> = {};
  for (const pair of pairs) {
    const [, region, cluster] = pair ?? [];
    if (region === undefined || cluster === undefined) {
      throw new UsageError(`expected clusters as region=cluster,region=cluster, got ${JSON.stringify(text)}`);
    }
    clusters[region] = cluster;
  }
  return clusters;
}
