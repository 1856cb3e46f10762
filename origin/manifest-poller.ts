// Keeps the newest manifest at hand. Bigtable trouble or a manifest that is not valid leaves the last good one in place.
import type { Clock } from '../shared/clock.ts';
import type { Counters } from '../shared/counters.ts';
import type { Manifest } from '../shared/manifest.ts';

export interface ManifestPoller {
  /** The newest manifest that was read; undefined until the first one was. */
  latest(): Manifest | undefined;
  /** Reads the row now, then every `intervalMs` until `stop`. Resolves after the first attempt, whatever came of it. */
  start(): Promise<void>;
  stop(): void;
}

export interface ManifestPollerOptions {
  readonly read: () => Promise<Manifest>;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly onError: (error: unknown) => void;
}

export function createManifestPoller(options: ManifestPollerOptions): ManifestPoller {
  const { read, intervalMs, clock, counters, onError } = options;
  let latest: Manifest | undefined;
  let cancelNext: (() => void) | undefined;
  let stopped = false;

  async function poll(): Promise<void> {
    counters.add('origin_manifest_polls_total');
    try {
      const manifest = await read();
      // A cluster that lags behind in replication may still show an older one.
      if (latest === undefined || manifest.version >= latest.version) latest = manifest;
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
