// Record of loads in flight and of their start times. Without faults, an isolate or object loads one key at a time and
// not again before its lifetime ends. An object never stores a list that is older than its callers' demands.
import type { RegionCall } from '../../edge/region/protocol.ts';
import type { MemoryTier } from '../../edge/tiers/tier.ts';
import { type Entry, stateOf } from '../../shared/caching/entry.ts';
import { type ListKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { type Cloud, nameOf } from './cloud.ts';
import { Violation } from './oracle.ts';
import type { Watcher } from './origins.ts';
import type { Setting } from './setting.ts';

export interface LoadWatch extends Watcher {
  onObjectArrival(owner: string, call: RegionCall, memory: MemoryTier): void;
  onObjectStore(owner: string, key: string, entry: Entry): void;
}

interface LoadWatchOptions {
  readonly setting: Setting;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly guard: (judge: () => void) => void;
}

/** Share of the shortest lifetime, that of absence, that remains after jitter and early refreshes. */
const SHORTEST_REST_MS = 20_000;

/** Way to the object, to the origin and back: the shortest time before a load without measurements is hedged. */
const WAYS_OF_A_LOAD = 4;
const SHORTEST_HEDGE_MS = 100;

export function createLoadWatch({ setting, cloud, clock, guard }: LoadWatchOptions): LoadWatch {
  const isHealthy = setting.trouble === 'none';
  // An object that lost a hedge learns of it later. Meanwhile the isolate may request the list again.
  const mayBeOutrun = WAYS_OF_A_LOAD * setting.legMs >= SHORTEST_HEDGE_MS;
  const underWay = new Map<string, number>();
  const begunAtMs = new Map<string, number>();
  /** The newest demand of the waiting callers, by object and key. */
  const demandedAtMs = new Map<string, number>();
  /**
   * Age of values that an origin served from memory when a read began, by owner, with the time under which they are
   * stored.
   */
  const remembered = new Map<string, number>();
  const isErased = (user: string): boolean => cloud.erasures.some((erasure) => erasure.user === user);

  /** Per region: another region may get the same request if the first one is late. */
  function judgeLoad(owner: string, id: string, key: ListKey): void {
    if (isErased(key.user)) return;
    const nowMs = clock.now();
    if ((underWay.get(id) ?? 0) > 0 && !(mayBeOutrun && owner.startsWith('isolate')))
      throw new Violation(`${owner} loads ${JSON.stringify(key)} twice at once`);
    const before = begunAtMs.get(id);
    if (before === undefined || !setting.isRoomy || !owner.startsWith('object')) return;
    if (nowMs - before < SHORTEST_REST_MS && (demandedAtMs.get(`${owner} ${makeCacheKey(key)}`) ?? 0) < before)
      throw new Violation(`${owner} loads ${JSON.stringify(key)} again after ${nowMs - before} ms`);
  }

  return {
    begin: (owner, region, keys) => {
      if (!isHealthy) return;
      for (const key of keys) {
        const id = idOf(owner, region, key);
        guard(() => judgeLoad(owner, id, key));
        underWay.set(id, (underWay.get(id) ?? 0) + 1);
        begunAtMs.set(id, clock.now());
      }
    },
    end: (owner, region, keys) => {
      if (!isHealthy) return;
      for (const key of keys) {
        const id = idOf(owner, region, key);
        underWay.set(id, (underWay.get(id) ?? 0) - 1);
      }
    },
    cancel: (owner, region, keys) => {
      for (const key of keys) begunAtMs.delete(idOf(owner, region, key));
    },
    remember: (owner, region, key, beganAtMs, readAtMs) => {
      const storedAtMs = beganAtMs - (clock.now() - readAtMs);
      remembered.set(`${owner} ${makeCacheKey(key)} ${storedAtMs}`, beganAtMs);
      // A list that was old on arrival may be loaded again earlier.
      begunAtMs.set(idOf(owner, region, key), readAtMs);
    },
    onObjectArrival: (owner, { reads }, memory) => {
      for (const { key, notBeforeMs } of reads) {
        if (notBeforeMs === 0) continue;
        const held = memory.peek(makeCacheKey(key));
        const isContent =
          held !== undefined && held.storedAtMs >= notBeforeMs && stateOf(held, clock.now()) !== 'expired';
        const id = `${owner} ${makeCacheKey(key)}`;
        // A load from now on satisfies every demand.
        const demanded = Math.min(notBeforeMs, clock.now());
        if (!isContent) demandedAtMs.set(id, Math.max(demanded, demandedAtMs.get(id) ?? 0));
      }
    },
    onObjectStore: (owner, key, { storedAtMs }) => {
      const demanded = demandedAtMs.get(`${owner} ${key}`) ?? 0;
      // A caller with the demand may have joined a load that began late enough. The caller cannot know that the origin
      // answers from memory.
      const beganAtMs = remembered.get(`${owner} ${key} ${storedAtMs}`) ?? storedAtMs;
      guard(() => {
        if (beganAtMs < demanded)
          throw new Violation(
            `${owner} stores ${key}, loaded at ${beganAtMs}, and was told that ${demanded} is the earliest`,
          );
      });
    },
  };
}

const idOf = (owner: string, region: string, key: ListKey): string => `${owner} ${region} ${nameOf(key)}`;
