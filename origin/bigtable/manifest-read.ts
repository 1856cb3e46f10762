// The manifest as an origin reads it: through the profile of the local cluster, and through the other one when that cluster is not there. What it
// sees of the cluster it tells, so that an origin whose lists are all in memory knows too that its cluster is gone, or back.
import { EarshotError } from '../../shared/wire/errors.ts';
import { grpcCodeOf, toTableError, UNAVAILABLE } from './bigtable-error.ts';
import type { BigtableConnection } from './connection.ts';
import { type LocalCluster, PROBE_TIMEOUT_MS } from './local-cluster.ts';
import { readManifest, type StoredManifest } from './manifest-row.ts';

export interface ManifestReadOptions {
  readonly bigtable: BigtableConnection;
  readonly appProfile: string;
  /** Undefined: nothing is read elsewhere. */
  readonly otherProfile: string | undefined;
  readonly localCluster: LocalCluster;
  /** Of each call, in milliseconds. */
  readonly timeoutMs: number;
}

/** As `readManifest`. */
export function createManifestRead(options: ManifestReadOptions): () => Promise<StoredManifest> {
  const { bigtable, appProfile, otherProfile, localCluster, timeoutMs } = options;
  const read = (profile: string, withinMs = timeoutMs) => readManifest(bigtable, profile, withinMs);

  function probe(): void {
    const settle = localCluster.takeProbe();
    if (settle === undefined) return;
    read(appProfile, PROBE_TIMEOUT_MS).then(
      () => settle(true),
      (error) => settle(!(error instanceof EarshotError)),
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
      localCluster.answered();
      return stored;
    } catch (error) {
      if (!isAway(error)) throw error;
      localCluster.failed();
      return read(otherProfile);
    }
  };
}

/** It was not there, or said nothing in all the time of the call. */
function isAway(error: unknown): boolean {
  const { code, cause } = toTableError(error, 'reading the manifest');
  return code === 'deadline_exceeded' || grpcCodeOf(cause) === UNAVAILABLE;
}
