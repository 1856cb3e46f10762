// Which loads are under way, and when each was last begun: of one key one at a time from one isolate or object, and not
// again before its time, as long as nothing is wrong. What a region's object stores is not from before what those who
// asked it knew.
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

/** Of the shortest lifetime, that of absence, what jitter and early refreshes leave in any case. */
const SHORTEST_REST_MS = 20_000;

/**
 * To the object and from there to the origin, and back; what a load takes before it is hedged at the earliest, as long
 * as little was measured.
 */
const WAYS_OF_A_LOAD = 4;
const SHORTEST_HEDGE_MS = 100;

export function createLoadWatch({ setting, cloud, clock, guard }: LoadWatchOptions): LoadWatch {
  const isHealthy = setting.trouble === 'none';
  // An object that was outrun by a hedge hears of it later, and the isolate may ask it anew meanwhile.
  const mayBeOutrun = WAYS_OF_A_LOAD * setting.legMs >= SHORTEST_HEDGE_MS;
  const underWay = new Map<string, number>();
  const begunAtMs = new Map<string, number>();
  /** For each object and key, what those who had to wait demanded at most. */
  const demandedAtMs = new Map<string, number>();
  /**
   * Of what an origin gave from memory, when the read that got it began: by who has it, and the moment that it is
   * stored with.
   */
  const remembered = new Map<string, number>();
  const isErased = (user: string): boolean => cloud.erasures.some((erasure) => erasure.user === user);

  /** From one region: from another the same may be asked for when the first is late. */
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
      // What was old when it came may have to be loaded again the sooner.
      begunAtMs.set(idOf(owner, region, key), readAtMs);
    },
    onObjectArrival: (owner, { reads }, memory) => {
      for (const { key, notBeforeMs } of reads) {
        if (notBeforeMs === 0) continue;
        const held = memory.peek(makeCacheKey(key));
        const isContent =
          held !== undefined && held.storedAtMs >= notBeforeMs && stateOf(held, clock.now()) !== 'expired';
        const id = `${owner} ${makeCacheKey(key)}`;
        // What is loaded from now on is as new as can be, whatever is demanded.
        const demanded = Math.min(notBeforeMs, clock.now());
        if (!isContent) demandedAtMs.set(id, Math.max(demanded, demandedAtMs.get(id) ?? 0));
      }
    },
    onObjectStore: (owner, key, { storedAtMs }) => {
      const demanded = demandedAtMs.get(`${owner} ${key}`) ?? 0;
      // Who demanded may have come while a load was under way that began late enough; that its origin answers from
      // memory it cannot know.
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
