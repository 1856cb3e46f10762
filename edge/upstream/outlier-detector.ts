// Which regions are left alone for a while, because they fail or are far slower than the others (passive outlier ejection, as Envoy does it).
//
// A region's life: healthy -> ejected -> probing -> healthy, or ejected again for longer. It is ejected after CONSECUTIVE bad outcomes in a row,
// or when so many of the last WINDOW_MS are bad and make up a good part of all. What is bad is for the caller to say: a failure, an answer far
// later than another region's would have been, a race lost to a hedge. When its time is over one probe goes out beside the requests, which
// go elsewhere meanwhile, so that nobody pays for finding out. The last region is never ejected, however bad it is: it may be us.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';

export type RegionState = 'healthy' | 'ejected' | 'probing';

export interface OutlierStatus {
  readonly state: RegionState;
  /** In a row, without a healthy time between them. */
  readonly ejections: number;
  /** Until the probe, in ms; 0 unless ejected. */
  readonly ejectedForMs: number;
  /** Outcomes of the last WINDOW_MS, and how many of them were bad. */
  readonly attempts: number;
  readonly failures: number;
}

export interface Outliers {
  note(region: string, isBad: boolean): void;
  isEjected(region: string): boolean;
  /** Whether most regions are ejected, so that those are better than none. */
  isPanic(): boolean;
  /** A region whose time is over, once for each time: it is to be probed now. */
  takeProbe(): string | undefined;
  endProbe(region: string, isBad: boolean): void;
  status(region: string): OutlierStatus;
}

export interface OutliersOptions {
  readonly regions: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly onChange: (region: string, state: RegionState, ejectedForMs: number) => void;
}

export const CONSECUTIVE = 5;
export const WINDOW_MS = 1_000;
const BUCKET_MS = 100;
/** Of all outcomes in the window. */
const BAD_SHARE = 0.2;
/** The first time, and twice as long each further time up to the most: what has recovered is back within 10 s. */
const EJECTION = { firstMs: 1_000, mostMs: 8_000, jitter: 0.1 };
/** After being healthy for so long the next ejection is a first one. */
const FORGIVE_MS = 30_000;
/** A probe that nobody told the end of: its request was cut off. */
const PROBE_TIMEOUT_MS = 10_000;

interface Bucket {
  readonly atMs: number;
  all: number;
  bad: number;
}

interface Health {
  state: RegionState;
  /** When the state ends, while ejected or probing. */
  untilMs: number;
  healthySinceMs: number;
  ejections: number;
  consecutive: number;
  buckets: Bucket[];
}

export function createOutliers({ regions, clock, random, onChange }: OutliersOptions): Outliers {
  const all = new Map<string, Health>(
    regions.map((name) => [
      name,
      { state: 'healthy', untilMs: 0, healthySinceMs: clock.now(), ejections: 0, consecutive: 0, buckets: [] },
    ]),
  );
  const healthOf = (region: string): Health => {
    const health = all.get(region);
    if (health === undefined) throw new Error(`expected one of the configured regions, got "${region}"`);
    return health;
  };
  const ejectedCount = (): number => [...all.values()].filter(({ state }) => state !== 'healthy').length;

  function count(health: Health, isBad: boolean): void {
    const atMs = Math.floor(clock.now() / BUCKET_MS) * BUCKET_MS;
    health.buckets = recent(health);
    let bucket = health.buckets.at(-1);
    if (bucket?.atMs !== atMs) {
      bucket = { atMs, all: 0, bad: 0 };
      health.buckets.push(bucket);
    }
    bucket.all++;
    if (isBad) bucket.bad++;
  }

  const recent = ({ buckets }: Health): Bucket[] => buckets.filter(({ atMs }) => clock.now() - atMs < WINDOW_MS);
  const sum = (health: Health, of: 'all' | 'bad'): number =>
    recent(health).reduce((total, bucket) => total + bucket[of], 0);

  function isOutlier(health: Health): boolean {
    if (health.consecutive >= CONSECUTIVE) return true;
    const bad = sum(health, 'bad');
    return bad >= CONSECUTIVE && bad >= BAD_SHARE * sum(health, 'all');
  }

  function eject(region: string, health: Health): void {
    const isForgiven = health.state === 'healthy' && clock.now() - health.healthySinceMs >= FORGIVE_MS;
    health.ejections = isForgiven ? 1 : health.ejections + 1;
    const plainMs = Math.min(EJECTION.mostMs, EJECTION.firstMs * 2 ** (health.ejections - 1));
    const ms = Math.round(plainMs * (1 + EJECTION.jitter * (2 * random() - 1)));
    health.state = 'ejected';
    health.untilMs = clock.now() + ms;
    onChange(region, 'ejected', ms);
  }

  function admit(region: string, health: Health): void {
    health.state = 'healthy';
    health.healthySinceMs = clock.now();
    health.consecutive = 0;
    health.buckets = [];
    onChange(region, 'healthy', 0);
  }

  return {
    note: (region, isBad) => {
      const health = healthOf(region);
      // What was under way when it was ejected says nothing new.
      if (health.state !== 'healthy') return;
      count(health, isBad);
      health.consecutive = isBad ? health.consecutive + 1 : 0;
      if (isBad && isOutlier(health) && ejectedCount() < all.size - 1) eject(region, health);
    },
    isEjected: (region) => healthOf(region).state !== 'healthy',
    isPanic: () => ejectedCount() > all.size / 2,
    takeProbe: () => {
      const nowMs = clock.now();
      for (const [region, health] of all) {
        if (health.state === 'healthy' || nowMs < health.untilMs) continue;
        health.state = 'probing';
        health.untilMs = nowMs + PROBE_TIMEOUT_MS;
        onChange(region, 'probing', 0);
        return region;
      }
      return undefined;
    },
    endProbe: (region, isBad) => {
      const health = healthOf(region);
      if (health.state !== 'probing') return;
      if (isBad) eject(region, health);
      else admit(region, health);
    },
    status: (region) => {
      const health = healthOf(region);
      const ejectedForMs = health.state === 'ejected' ? Math.max(0, health.untilMs - clock.now()) : 0;
      return {
        state: health.state,
        ejections: health.ejections,
        ejectedForMs,
        attempts: sum(health, 'all'),
        failures: sum(health, 'bad'),
      };
    },
  };
}
