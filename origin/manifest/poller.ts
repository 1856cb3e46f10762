// Keeps the newest manifest, as the stored bytes. After a failed read, or an invalid or older manifest, the previous
// one stays: replication may not have reached the cluster yet.
import { hash } from 'node:crypto';
import type { LiveManifest } from '../../shared/domain/effects/documents.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';

export interface PolledManifest {
  readonly manifest: LiveManifest;
  readonly json: string;
  /** From the bytes: after a restore, the same version may be another manifest. */
  readonly etag: string;
}

export interface ManifestPoller {
  /** The newest version that was read; undefined before the first successful poll. */
  latest(): PolledManifest | undefined;
  /** Polls in a row that brought no manifest: the row cannot be read, is invalid, or has an older version. */
  failedPolls(): number;
  /** The reason of the latest poll's failure; undefined after a successful one. */
  failure(): string | undefined;
  /** Reads the row now, then every `intervalMs` until `stop`. Resolves after the first attempt, also if it fails. */
  start(): Promise<void>;
  stop(): void;
}

export interface ManifestPollerOptions {
  /** Reads and validates the stored manifest and its documents. */
  readonly read: () => Promise<Pick<PolledManifest, 'manifest' | 'json'>>;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Called when a poll brings a later version than the known one. Default: nothing. */
  readonly onChange?: () => void;
  readonly onError: (error: unknown) => void;
}

export function createManifestPoller(options: ManifestPollerOptions): ManifestPoller {
  const { read, intervalMs, clock, counters, onChange, onError } = options;
  let latest: PolledManifest | undefined;
  let cancelNext: (() => void) | undefined;
  let failedPolls = 0;
  let failure: string | undefined;
  let stopped = false;

  async function poll(): Promise<void> {
    counters.add('origin_manifest_polls_total');
    try {
      const { manifest, json } = await read();
      if (latest !== undefined && manifest.version < latest.manifest.version)
        throw new Error(
          `expected the manifest's version to be at least ${latest.manifest.version}, got ${manifest.version}`,
        );
      const isLater = latest !== undefined && manifest.version > latest.manifest.version;
      latest = { manifest, json, etag: `"${hash('sha256', json, 'base64url').slice(0, ETAG_CHARS)}"` };
      failedPolls = 0;
      failure = undefined;
      if (isLater) onChange?.();
    } catch (error) {
      failedPolls++;
      failure = (error as Error).message;
      counters.add('origin_manifest_failures_total');
      onError(error);
    }
    if (!stopped) cancelNext = clock.setTimeout(() => void poll(), intervalMs);
  }

  return {
    latest: () => latest,
    failedPolls: () => failedPolls,
    failure: () => failure,
    start: poll,
    stop: () => {
      stopped = true;
      cancelNext?.();
    },
  };
}

const ETAG_CHARS = 22;
