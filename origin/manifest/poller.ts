// Keeps the newest manifest at hand, as the bytes that are stored. Bigtable trouble, a manifest that is not valid, or one that is older, from a
// cluster that replication has not reached, leaves the last good one in place.
import { hash } from 'node:crypto';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';

export interface PolledManifest {
  readonly manifest: Manifest;
  readonly json: string;
  /** Of the bytes, not of the version: after a restore the same version may be another manifest. */
  readonly etag: string;
}

export interface ManifestPoller {
  /** Of what polls have read the newest version, and of that the latest; undefined until a poll succeeded. */
  latest(): PolledManifest | undefined;
  /** Reads the row now, then every `intervalMs` until `stop`. Resolves after the first attempt, whatever came of it. */
  start(): Promise<void>;
  stop(): void;
}

export interface ManifestPollerOptions {
  /** The stored manifest, which has been found valid, and its bytes. */
  readonly read: () => Promise<Pick<PolledManifest, 'manifest' | 'json'>>;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly onError: (error: unknown) => void;
}

export function createManifestPoller(options: ManifestPollerOptions): ManifestPoller {
  const { read, intervalMs, clock, counters, onError } = options;
  let latest: PolledManifest | undefined;
  let cancelNext: (() => void) | undefined;
  let stopped = false;

  async function poll(): Promise<void> {
    counters.add('origin_manifest_polls_total');
    try {
      const { manifest, json } = await read();
      if (latest !== undefined && manifest.version < latest.manifest.version)
        throw new Error(
          `expected the manifest to be of version ${latest.manifest.version} or newer, got ${manifest.version}`,
        );
      latest = { manifest, json, etag: `"${hash('sha256', json, 'base64url').slice(0, ETAG_CHARS)}"` };
    } catch (error) {
      counters.add('origin_manifest_failures_total');
      onError(error);
    }
    if (!stopped) cancelNext = clock.setTimeout(() => void poll(), intervalMs);
  }

  return {
    latest: () => latest,
    start: poll,
    stop: () => {
      stopped = true;
      cancelNext?.();
    },
  };
}

const ETAG_CHARS = 22;
