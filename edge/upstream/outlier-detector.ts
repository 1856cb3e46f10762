// Passive outlier ejection of regions that fail or are far slower than the others, as in Envoy.
//
// States: healthy -> ejected -> probing -> healthy, or ejected again for longer. A region is ejected after CONSECUTIVE
// bad outcomes in a row, or when as many within WINDOW_MS are a large share of all. The caller decides which outcomes
// are bad. After the ejection one probe leaves beside a request, so no request pays for the test. The last region is
// never ejected: the fault may be on this side.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Random } from '../../shared/runtime/random.ts';

export type RegionState = 'healthy' | 'ejected' | 'probing';

export interface OutlierStatus {
  readonly state: RegionState;
  /** Ejections in a row, without FORGIVE_MS of health between them. */
  readonly ejections: number;
  /** Milliseconds until the probe; 0 unless ejected. */
  readonly ejectedForMs: number;
  /** Outcomes within WINDOW_MS, and the bad ones among them. */
  readonly attempts: number;
  readonly failures: number;
}

export interface OutlierDetector {
  record(region: string, isBad: boolean): void;
  isEjected(region: string): boolean;
  /** Whether most regions are ejected, so that using them is better than failing. */
  isPanic(): boolean;
  /** A region whose ejection is over, once per ejection. The caller probes it now. */
  takeProbe(): string | undefined;
  endProbe(region: string, isBad: boolean): void;
  status(region: string): OutlierStatus;
}

export interface OutlierOptions {
  readonly regions: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly onChange: (region: string, state: RegionState, ejectedForMs: number) => void;
}

export const CONSECUTIVE = 5;
export const WINDOW_MS = 1_000;
const BUCKET_MS = 100;
/** Minimum share of bad outcomes in the window. */
const BAD_SHARE = 0.2;
/**
 * Duration of the first ejection. Each further one is twice as long, up to `maxMs`: a recovered region is back within
 * 10 s.
 */
const EJECTION = { firstMs: 1_000, maxMs: 8_000, jitter: 0.1 };
/** After this much health the next ejection counts as the first. */
const FORGIVE_MS = 30_000;
/** Age beyond which a probe counts as lost with its request. */
const PROBE_TIMEOUT_MS = 10_000;

interface Bucket {
  readonly atMs: number;
  all: number;
  bad: number;
}

interface Health {
  state: RegionState;
  /** End of the state, while ejected or probing. */
  untilMs: number;
  healthySinceMs: number;
  ejections: number;
  consecutive: number;
  buckets: Bucket[];
}

export function createOutlierDetector({ regions, clock, random, onChange }: OutlierOptions): OutlierDetector {
  const all = new Map(regions.map((name) => [name, makeHealth(clock.now())]));
  const ejectedCount = (): number => [...all.values()].filter(({ state }) => state !== 'healthy').length;

  function healthOf(region: string): Health {
    const health = all.get(region);
    if (health === undefined) throw new Error(`expected one of the configured regions, got "${region}"`);
    return health;
  }

  function eject(region: string, health: Health): void {
    const isForgiven = health.state === 'healthy' && clock.now() - health.healthySinceMs >= FORGIVE_MS;
    health.ejections = isForgiven ? 1 : health.ejections + 1;
    const baseMs = Math.min(EJECTION.maxMs, EJECTION.firstMs * 2 ** (health.ejections - 1));
    const ms = Math.round(baseMs * (1 + EJECTION.jitter * (2 * random() - 1)));
    health.state = 'ejected';
    health.untilMs = clock.now() + ms;
    onChange(region, 'ejected', ms);
  }

  function admit(region: string, health: Health): void {
    Object.assign(health, { state: 'healthy', healthySinceMs: clock.now(), consecutive: 0, buckets: [] });
    onChange(region, 'healthy', 0);
  }

  return {
    record: (region, isBad) => {
      const health = healthOf(region);
      // Attempts that were in flight at the ejection say nothing new.
      if (health.state !== 'healthy') return;
      addOutcome(health, isBad, clock.now());
      health.consecutive = isBad ? health.consecutive + 1 : 0;
      if (isBad && isOutlier(health, clock.now()) && ejectedCount() < all.size - 1) eject(region, health);
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
    status: (region) => toStatus(healthOf(region), clock.now()),
  };
}

const makeHealth = (nowMs: number): Health => ({
  state: 'healthy',
  untilMs: 0,
  healthySinceMs: nowMs,
  ejections: 0,
  consecutive: 0,
  buckets: [],
});

function toStatus(health: Health, nowMs: number): OutlierStatus {
  const { state, ejections, untilMs } = health;
  const ejectedForMs = state === 'ejected' ? Math.max(0, untilMs - nowMs) : 0;
  return { state, ejections, ejectedForMs, attempts: sum(health, 'all', nowMs), failures: sum(health, 'bad', nowMs) };
}

function addOutcome(health: Health, isBad: boolean, nowMs: number): void {
  const atMs = Math.floor(nowMs / BUCKET_MS) * BUCKET_MS;
  health.buckets = recentBuckets(health, nowMs);
  let bucket = health.buckets.at(-1);
  if (bucket?.atMs !== atMs) {
    bucket = { atMs, all: 0, bad: 0 };
    health.buckets.push(bucket);
  }
  bucket.all++;
  if (isBad) bucket.bad++;
}

function isOutlier(health: Health, nowMs: number): boolean {
  if (health.consecutive >= CONSECUTIVE) return true;
  const bad = sum(health, 'bad', nowMs);
  return bad >= CONSECUTIVE && bad >= BAD_SHARE * sum(health, 'all', nowMs);
}

const recentBuckets = ({ buckets }: Health, nowMs: number): Bucket[] =>
  buckets.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);

const sum = (health: Health, of: 'all' | 'bad', nowMs: number): number =>
  recentBuckets(health, nowMs).reduce((total, bucket) => total + bucket[of], 0);
