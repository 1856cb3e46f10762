// The objects of all regions, in this process. They run the code of the Durable Object. The path between them and the
// worker copies values, takes time and fails like RPC.
import type { EdgeConfig } from '../../edge/config.ts';
import type { Platform } from '../../edge/platform.ts';
import { assembleRegion } from '../../edge/region/assemble.ts';
import type { RegionAnswer, RegionCall } from '../../edge/region/protocol.ts';
import type { RegionLists } from '../../edge/region/region-lists.ts';
import type { FindObject } from '../../edge/region/region-objects.ts';
import { createMemoryTier } from '../../edge/tiers/memory.ts';
import type { MemoryTier } from '../../edge/tiers/tier.ts';
import type { OriginClient } from '../../edge/upstream/origin-client.ts';
import type { Entry } from '../../shared/caching/entry.ts';
import { makeCacheKey } from '../../shared/domain/keys.ts';
import type { Watcher } from './origins.ts';
import type { Timeline } from './platform/timeline.ts';

export const OBJECT_TROUBLES = ['throws', 'broken', 'overloaded', 'sheds', 'hangs', 'hangs-back'] as const;

/** `throws`: the object cannot be found. `hangs-back`: it works, and its answer never arrives. */
export type ObjectTrouble = (typeof OBJECT_TROUBLES)[number];

interface RegionObjectInstance {
  readonly owner: string;
  readonly lists: RegionLists;
  readonly memory: MemoryTier;
  isAlive: boolean;
}

export interface Objects {
  /** The lookup of objects by the isolate of this name. */
  findFor(isolate: string): FindObject;
  setTrouble(name: string, trouble: ObjectTrouble | undefined): void;
  /** Loses the object's memory and its work in progress. */
  lose(name: string): void;
  heal(): void;
}

interface ObjectsOptions {
  readonly config: EdgeConfig;
  readonly timeline: Timeline;
  readonly platform: Platform;
  readonly clientFor: (owner: string) => OriginClient;
  readonly legMs: number;
  readonly watcher: Watcher;
  /** Called for each call that arrives at an object and before each entry that an object stores. */
  readonly onArrival: (owner: string, call: RegionCall, memory: MemoryTier) => void;
  readonly onStore: (owner: string, key: string, entry: Entry) => void;
  readonly keep: (work: Promise<unknown>) => void;
}

export function createObjects(options: ObjectsOptions): Objects {
  const { config, timeline, platform, clientFor, legMs, watcher, onArrival, onStore, keep } = options;
  const instances = new Map<string, RegionObjectInstance>();
  const troubles = new Map<string, ObjectTrouble>();
  let made = 0;

  function instanceOf(name: string): RegionObjectInstance {
    const known = instances.get(name);
    if (known !== undefined) return known;
    const owner = `object ${name} (${++made})`;
    const region = name.slice(0, name.indexOf('/'));
    const memory = createMemoryTier({ name: 'region', maxBytes: config.regionCacheBytes });
    const watched: MemoryTier = {
      ...memory,
      set: (key, entry) => {
        onStore(owner, key, entry);
        return memory.set(key, entry);
      },
    };
    const { lists } = assembleRegion(config, region, watched, platform, clientFor(owner));
    const instance = { owner, lists, memory, isAlive: true };
    instances.set(name, instance);
    return instance;
  }

  function read(isolate: string, name: string, call: RegionCall): Promise<RegionAnswer> {
    const trouble = troubles.get(name);
    const { region, reads } = call;
    const keys = reads.map(({ key }) => key);
    const what = (): string => `${name} for ${isolate}: ${keys.map(makeCacheKey).join(' ')}`;
    const sent = structuredClone(call);
    watcher.begin(isolate, region, keys);
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        watcher.end(isolate, region, keys);
        settle();
      };
      if (trouble === 'hangs') return;
      timeline.deliver(
        () => `rpc reached (${trouble ?? 'up'}): ${what()}`,
        legMs,
        () => {
          if (trouble === 'broken') return end(() => reject(new Error('broken')));
          if (trouble === 'overloaded')
            return end(() => reject(Object.assign(new Error('busy'), { overloaded: true })));
          if (trouble === 'sheds') return end(() => resolve({ kind: 'overloaded' }));
          const instance = instanceOf(name);
          onArrival(instance.owner, sent, instance.memory);
          const giveBack = (settle: () => void): void => {
            if (trouble === 'hangs-back') return;
            const back = (): void => end(instance.isAlive ? settle : () => reject(new Error('the object was reset')));
            timeline.deliver(() => `rpc answered: ${what()}`, legMs, back);
          };
          instance.lists.read(sent, keep).then(
            (answer) => {
              const copy = structuredClone(answer);
              giveBack(() => resolve(copy));
            },
            (error) => giveBack(() => reject(error)),
          );
          return undefined;
        },
      );
    });
  }

  async function cancel(isolate: string, name: string, id: string): Promise<void> {
    const isHeard = troubles.get(name) === undefined;
    timeline.deliver(
      () => `rpc cancelled: ${id} at ${name} for ${isolate}`,
      legMs,
      () => {
        if (isHeard) instances.get(name)?.lists.cancel(id);
      },
    );
  }

  return {
    findFor: (isolate) => (name) => {
      if (troubles.get(name) === 'throws') throw new Error('no such namespace');
      return { read: (call) => read(isolate, name, call), cancel: (id) => cancel(isolate, name, id) };
    },
    setTrouble: (name, trouble) => {
      if (trouble === undefined) troubles.delete(name);
      else troubles.set(name, trouble);
    },
    lose: (name) => {
      const instance = instances.get(name);
      if (instance === undefined) return;
      instance.isAlive = false;
      instances.delete(name);
    },
    heal: () => troubles.clear(),
  };
}
