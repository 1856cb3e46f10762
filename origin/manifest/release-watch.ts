// Watches releases for the metrics: publications under way and how long each has stood still, paused ramps, and the
// marks of regions. A mark that ends by itself is logged: the region takes traffic again, whether it was restored or
// not.
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { OpenPublication } from '../bigtable/open-publications.ts';

export interface OpenRelease {
  /** `home/control`. */
  readonly line: string;
  readonly step: string;
  /** Seconds since its command renewed it, or since its ramp was paused. */
  readonly stalledSeconds: number;
}

export interface ReleaseWatch {
  /** Looks every WATCH_MS, for the first time after as long. */
  start(): void;
  stop(): void;
  open(): readonly OpenRelease[];
  /** Names of the regions that are marked as degraded. */
  degraded(): readonly string[];
}

export interface ReleaseWatchOptions {
  readonly read: () => Promise<readonly OpenPublication[]>;
  readonly manifest: () => Manifest;
  readonly clock: Clock;
  /** Called when a mark has ended by itself. */
  readonly onMarkEnded: (region: string) => void;
  readonly onError: (error: unknown) => void;
}

const WATCH_MS = 5_000;
/** A command renews its publication every 15 s. */
const RENEWAL_MS = 30_000;

export function createReleaseWatch(options: ReleaseWatchOptions): ReleaseWatch {
  const { read, manifest, clock, onMarkEnded, onError } = options;
  let publications: readonly OpenPublication[] = [];
  let marked = new Set<string>();
  let cancelNext: (() => void) | undefined;
  let isStopped = false;

  const degraded = (): string[] =>
    Object.entries(manifest().regions ?? {}).flatMap(([name, { degradedUntilMs }]) =>
      clock.now() < degradedUntilMs ? [name] : [],
    );

  function watchMarks(): void {
    const now = new Set(degraded());
    // A restored region is not in the manifest any more.
    for (const region of marked)
      if (!now.has(region) && manifest().regions?.[region] !== undefined) onMarkEnded(region);
    marked = now;
  }

  async function watch(): Promise<void> {
    watchMarks();
    try {
      publications = await read();
    } catch (error) {
      onError(error);
    }
    schedule();
  }

  function schedule(): void {
    if (!isStopped) cancelNext = clock.setTimeout(() => void watch(), WATCH_MS);
  }

  return {
    start: schedule,
    stop: () => {
      isStopped = true;
      cancelNext?.();
    },
    open: () => publications.map((each) => toOpenRelease(each, manifest(), clock.now())),
    degraded,
  };
}

function toOpenRelease({ line, step, renewedAtMs }: OpenPublication, manifest: Manifest, nowMs: number): OpenRelease {
  const silentMs = nowMs - renewedAtMs;
  const pausedAtMs = pausedSince(manifest, line);
  const stalledMs = Math.max(silentMs > RENEWAL_MS ? silentMs : 0, pausedAtMs === undefined ? 0 : nowMs - pausedAtMs);
  return { line, step, stalledSeconds: Math.round(stalledMs / 1000) };
}

function pausedSince({ surfaces }: Manifest, line: string): number | undefined {
  const [surface = '', variant] = line.split('/');
  const variants = Object.hasOwn(surfaces, surface) ? surfaces[surface]?.variants : undefined;
  return variants?.find(({ name }) => name === variant)?.flip?.pausedAtMs;
}
