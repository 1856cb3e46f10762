// Reads the manifest through the local cluster's profile, or through the other profile while that cluster is not
// available. It records the cluster's state, also for an origin that serves all lists from memory.
import { EarshotError } from '../../shared/wire/errors.ts';
import { isUnavailable, toTableError } from './bigtable-error.ts';
import type { BigtableConnection } from './connection.ts';
import { type LocalCluster, PROBE_TIMEOUT_MS } from './local-cluster.ts';
import { readManifest, type StoredManifest } from './manifest-row.ts';

export interface ManifestReadOptions {
  readonly bigtable: BigtableConnection;
  readonly appProfile: string;
  /** Undefined: no failover. */
  readonly otherProfile: string | undefined;
  readonly localCluster: LocalCluster;
  /** Milliseconds for each call. */
  readonly timeoutMs: number;
}

/** As `readManifest`. */
export function createManifestRead(options: ManifestReadOptions): () => Promise<StoredManifest> {
  const { bigtable, appProfile, otherProfile, localCluster, timeoutMs } = options;
  const read = (profile: string, withinMs = timeoutMs) => readManifest(bigtable, profile, withinMs);

  function probe(): void {
    const endProbe = localCluster.takeProbe();
    if (endProbe === undefined) return;
    read(appProfile, PROBE_TIMEOUT_MS).then(
      () => endProbe(true),
      (error) => endProbe(!(error instanceof EarshotError)),
    );
  }

  return async () => {
    if (otherProfile === undefined) return read(appProfile);
    if (!localCluster.isUp()) {
      probe();
      return read(otherProfile);
    }
    try {
      const stored = await read(appProfile);
      localCluster.recordAnswer();
      return stored;
    } catch (error) {
      if (!isAway(error)) throw error;
      localCluster.recordFailure();
      return read(otherProfile);
    }
  };
}

/** The cluster is unavailable, or was silent until the deadline. */
function isAway(thrown: unknown): boolean {
  const error = toTableError(thrown, 'reading the manifest');
  return error.code === 'deadline_exceeded' || isUnavailable(error);
}
