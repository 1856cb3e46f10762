// One run: three regions with their objects, isolates of the worker in two data centres, and a script of reads and
// events. The worker's code is real; the timing of its I/O is random. The oracle checks every answer and every stored
// entry.
import { createBuilds } from '../../edge/builds.ts';
import type { EdgeConfig } from '../../edge/config.ts';
import { IN_FLIGHT_BYTES } from '../../edge/platform.ts';
import type { Read } from '../../edge/reads/fallback.ts';
import { createUnreported } from '../../edge/report/unreported.ts';
import { createOriginClient, type OriginClient } from '../../edge/upstream/origin-client.ts';
import { POPULAR_USER, toName, toUserId } from '../../shared/domain/ids.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { createByteAccount } from '../../shared/runtime/byte-account.ts';
import type { CounterSide, Counters } from '../../shared/runtime/counters.ts';
import { type Chance, createChance } from '../support/chance.ts';
import { type Cloud, createCloud } from './cloud.ts';
import { createIsolate, type Isolate } from './isolate.ts';
import { createLoadWatch, type LoadWatch } from './load-watch.ts';
import { createObjects, type Objects } from './objects.ts';
import { createOracle, type Oracle, type Outcome, Violation } from './oracle.ts';
import { createOrigins, type OriginState, type OwnedFetch } from './origins.ts';
import { type ColoCache, createColoCache } from './platform/colo-cache.ts';
import { createTimeline, runMicrotasks, type Timeline } from './platform/timeline.ts';
import { drawSetting, FIRST_GENERATION, type Setting } from './setting.ts';

export interface World {
  readonly setting: Setting;
  readonly chance: Chance;
  readonly cloud: Cloud;
  readonly timeline: Timeline;
  readonly origins: readonly OriginState[];
  readonly colos: readonly ColoCache[];
  readonly objects: Objects;
  readonly tell: ((line: string) => void) | undefined;
  /** The newest manifest version that the isolate in this slot used. */
  versionAt(slot: number): number;
  loseIsolate(slot: number): void;
  /**
   * Sends `reads` to the isolate in this slot, which is created on first use. Resolves with the judged outcomes;
   * undefined without a manifest.
   */
  ask(slot: number, reads: readonly Read[]): Promise<readonly Outcome[] | undefined>;
  /** Number of requests without an answer. */
  open(): number;
  /** Number of list requests that left any isolate, to its colo cache or beyond. */
  departures(): number;
}

export interface RunOptions {
  readonly base: EdgeConfig;
  readonly counters: Counters;
  /** Whether reads are HTTP requests, or direct calls behind the app at a much lower cost. */
  readonly isThroughApp?: boolean;
  readonly tell?: ((line: string) => void) | undefined;
}

export const SLOTS = 3;
/** Data centre of each slot; the first two slots are neighbours. */
const COLO_OF_SLOT = [0, 0, 1];
/** Ten minutes after the start of the manifest's first generation. */
const START_MS = FIRST_GENERATION + 600_000;
const LOG = { warn: () => {}, error: () => {} };

export function createWorld(
  seed: number,
  { base, counters, tell, isThroughApp = false }: RunOptions,
): World & { check(): void } {
  const chance = createChance(seed);
  const setting = drawSetting(chance, base);
  const { config, legMs } = setting;
  let violation: Error | undefined;
  /** Only the first violation is reported; later ones may follow from it. */
  const guard = (judge: () => void): void => {
    try {
      judge();
    } catch (error) {
      violation ??= error as Error;
    }
  };
  const check = (): void => {
    if (violation !== undefined) throw violation;
  };
  const drain = isThroughApp ? () => runMicrotasks(3) : runMicrotasks;
  const timeline = createTimeline({ chance, startMs: START_MS, drain, inspect: check, tell });
  const { clock } = timeline;
  const cloud = createCloud(setting.manifest, config.regions.length);
  const oracle: Oracle = createOracle(setting, cloud);
  const watch: LoadWatch = createLoadWatch({ setting, cloud, clock, guard });
  const origins: OriginState[] = config.regions.map(({ name, origin }) => ({
    name,
    url: origin,
    trouble: undefined,
    isManifestHit: false,
    isShedding: false,
  }));
  const fetchFor = createOrigins({ setting, cloud, timeline, chance, states: origins, watcher: watch });
  const colos = [0, 1].map((i) => createColoCache({ timeline, name: `colo ${i}`, legMs }));
  const random = (): number => {
    const drawn = chance.next();
    return drawn < 0.1 ? 0 : drawn > 0.95 ? 0.999_999 : drawn;
  };
  const keep = (work: Promise<unknown>): void => {
    work.catch((error) =>
      guard(() => {
        throw new Violation(`work behind an answer failed: ${String(error)}`);
      }),
    );
  };
  const inFlight = createByteAccount({ clock, maxBytes: IN_FLIGHT_BYTES, maxAgeMs: 90_000 });
  const platform = {
    clock,
    random,
    counters,
    builds: createBuilds(counters),
    unreported: createUnreported(counters),
    inFlight,
    log: LOG,
    fetch: () => Promise.reject(new Error('each has its own')),
  };
  const clientFor = (side: CounterSide, fetch: OwnedFetch): OriginClient =>
    createOriginClient({
      ...platform,
      fetch,
      side,
      // Signing is real cryptography, with promises that settle on the event loop.
      internalTokens: { get: async () => 'token', replace: async () => undefined },
      timeoutMs: config.originTimeoutMs,
    });
  const objects = createObjects({
    config,
    timeline,
    platform,
    clientFor: (owner) => clientFor('region', fetchFor(owner)),
    legMs,
    watcher: watch,
    onArrival: watch.onObjectArrival,
    onStore: watch.onObjectStore,
    keep,
  });
  /** Nearest regions by data centre: the same one in half of the runs. Some callers are nearer to another. */
  const nearest = [0, chance.pick([0, 0, 1, 2])].map((at) => config.regions[(at + seed) % config.regions.length]);
  const drawNearest = (colo: number): Region =>
    chance.is(0.85) ? (nearest[colo] as Region) : chance.pick(config.regions);
  const isolates = new Map<number, Isolate>();
  let made = 0;
  let open = 0;
  let departures = 0;

  function isolateAt(slot: number): Isolate {
    const known = isolates.get(slot);
    if (known !== undefined) return known;
    const colo = COLO_OF_SLOT[slot] as number;
    const name = `isolate ${slot} (${++made})`;
    const isolate = createIsolate({
      name,
      config,
      platform,
      client: clientFor('edge', countReads(fetchFor(name))),
      cache: (colos[colo] as ColoCache).cache,
      keyOrigin: `https://colo-${colo}.test`,
      find: objects.findFor(name),
      drawNearest: () => drawNearest(colo),
      isThroughApp,
      oracle,
      guard,
      keep,
      onDeparture: () => departures++,
    });
    isolates.set(slot, isolate);
    return isolate;
  }

  const countReads =
    (fetch: OwnedFetch): OwnedFetch =>
    (url, init) => {
      if (init.method === 'POST') departures++;
      return fetch(url, init);
    };

  const world: World = {
    setting,
    chance,
    cloud,
    timeline,
    origins,
    colos,
    objects,
    tell,
    versionAt: (slot) => isolateAt(slot).version(),
    loseIsolate: (slot) => {
      isolates.delete(slot);
    },
    ask: async (slot, reads) => {
      open++;
      try {
        return await isolateAt(slot).ask(reads);
      } finally {
        open--;
      }
    },
    open: () => open,
    departures: () => departures,
  };
  seedTables(setting, cloud, chance);
  return { ...world, check };
}

/** Some users have a list, some have an earlier one, some have none. */
function seedTables({ users, manifest }: Setting, cloud: Cloud, chance: Chance): void {
  for (const [surface, { variants }] of Object.entries(manifest.surfaces)) {
    for (const { name: variant, current, previous } of variants) {
      for (const user of [...users, POPULAR_USER]) {
        if (chance.is(0.6))
          cloud.write({ surface: toName(surface), variant, generation: current, user: toUserId(user) });
        if (previous !== undefined && chance.is(0.5))
          cloud.write({ surface: toName(surface), variant, generation: previous, user: toUserId(user) });
      }
    }
  }
}
