// Where the command works: flags first, then the environment, then the local cloud that `npm start` left a description
// of.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type BigtableConnection, connectBigtable } from '../../origin/bigtable/connection.ts';
import { UsageError } from './usage-error.ts';

export interface ConnectionFlags {
  readonly project?: string;
  readonly instance?: string;
}

/** What `npm start` writes to `cloud.json` in its state directory for this command to find. */
export const localCloudSchema = z.object({
  project: z.string(),
  instance: z.string(),
  emulatorHost: z.string().optional(),
  /** Cluster id by region. */
  clusters: z.record(z.string(), z.string()),
  tokenSecret: z.string(),
  edgeUrl: z.string(),
  /** Of each region its origin as the worker reaches it. */
  regions: z.array(z.object({ name: z.string(), origin: z.string() })),
  /** Where faults of the regions are set. */
  regionControlUrl: z.string(),
  /** Where faults of the embedded Bigtable are set; absent with any other. */
  bigtableControlUrl: z.string().optional(),
});

export type LocalCloud = z.infer<typeof localCloudSchema>;

export const LOCAL_CLOUD_FILE = 'cloud.json';

/** Default: `.earshot` in the working directory. */
export const stateDirectory = (): string => process.env.EARSHOT_STATE_DIR ?? '.earshot';

/** The local cloud that runs here; undefined when none does. */
export function findLocalCloud(): LocalCloud | undefined {
  let json: string;
  try {
    json = readFileSync(join(stateDirectory(), LOCAL_CLOUD_FILE), 'utf8');
  } catch {
    return undefined;
  }
  return localCloudSchema.parse(JSON.parse(json));
}

/** Throws a UsageError when none runs here. */
export function requireLocalCloud(): LocalCloud {
  const cloud = findLocalCloud();
  if (cloud === undefined)
    throw new UsageError('expected a local cloud that runs here, got none: start one with `npm start`');
  return cloud;
}

/** Throws a UsageError when it is not known which instance is meant. */
export function connect(flags: ConnectionFlags): BigtableConnection {
  const { EARSHOT_PROJECT, EARSHOT_INSTANCE, BIGTABLE_EMULATOR_HOST } = process.env;
  const project = flags.project ?? EARSHOT_PROJECT;
  const instance = flags.instance ?? EARSHOT_INSTANCE;
  if (project !== undefined && instance !== undefined) {
    return connectBigtable({ project, instance, emulatorHost: BIGTABLE_EMULATOR_HOST });
  }
  const local = findLocalCloud();
  if (local === undefined || project !== undefined || instance !== undefined) {
    throw new UsageError(
      'expected to know the Bigtable instance: give --project and --instance, or set EARSHOT_PROJECT and EARSHOT_INSTANCE, or run `npm start` here for a local one',
    );
  }
  return connectBigtable(local);
}

/** Runs `work` with a connection that is closed whatever becomes of it. */
export async function withConnection<T>(
  flags: ConnectionFlags,
  work: (bigtable: BigtableConnection) => Promise<T>,
): Promise<T> {
  const bigtable = connect(flags);
  try {
    return await work(bigtable);
  } finally {
    await bigtable.close();
  }
}

/** `asia=c1,europe=c2` as cluster id by region. */
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
