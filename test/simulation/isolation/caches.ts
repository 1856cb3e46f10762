// The caches around the isolates: the Cache API of data centres, and the regions' objects with the code of the Durable
// Object. Both copy values, take time, forget and fail.
import type { EdgeConfig } from '../../../edge/config.ts';
import type { Platform } from '../../../edge/platform.ts';
import { assembleRegion, createRegionMemory } from '../../../edge/region/assemble.ts';
import type { RegionLists } from '../../../edge/region/region-lists.ts';
import type { FindObject } from '../../../edge/region/region-objects.ts';
import type { Chance } from '../../support/chance.ts';
import { PlainResponse } from '../platform/plain-platform.ts';
import type { Io } from './io.ts';

export interface Colo {
  readonly cache: Cache;
  trouble: 'none' | 'match' | 'put';
  forget(): void;
}

export function createColo(chance: Chance, io: Io): Colo {
  const stored = new Map<string, { bytes: ArrayBuffer; headers: Record<string, string> }>();
  // Compares URLs by meaning and not by spelling, like a real cache.
  const normalize = (url: string): string => new URL(url).href;
  const cache = {
    match: async (url: string) => {
      await io.wait();
      if (colo.trouble === 'match') throw new Error('the cache fails');
      const found = stored.get(normalize(url));
      return found && new PlainResponse(new Uint8Array(found.bytes), { headers: found.headers });
    },
    put: async (url: string, response: Response) => {
      const bytes = await response.arrayBuffer();
      await io.wait();
      if (colo.trouble === 'put') throw new Error('the cache fails');
      stored.set(normalize(url), { bytes, headers: Object.fromEntries(response.headers) });
    },
  };
  const colo: Colo = {
    cache: cache as unknown as Cache,
    trouble: 'none',
    forget: () => {
      for (const url of [...stored.keys()]) if (chance.is(0.5)) stored.delete(url);
    },
  };
  return colo;
}

export interface Objects {
  readonly find: FindObject;
  trouble: 'none' | 'missing' | 'broken' | 'overloaded' | 'loses-answers';
  /** Loses some objects with their memory. */
  lose(): void;
}

interface ObjectsOptions {
  readonly config: EdgeConfig;
  readonly platform: Platform;
  readonly chance: Chance;
  readonly io: Io;
  readonly keep: (work: Promise<unknown>) => void;
}

export function createObjects({ config, platform, chance, io, keep }: ObjectsOptions): Objects {
  const instances = new Map<string, RegionLists>();

  function instanceOf(name: string, region: string): RegionLists {
    const known = instances.get(name);
    if (known !== undefined) return known;
    const { lists } = assembleRegion(config, region, createRegionMemory(config, platform.clock), platform);
    instances.set(name, lists);
    return lists;
  }

  const objects: Objects = {
    trouble: 'none',
    find: (name) => {
      if (objects.trouble === 'missing') throw new Error('there is no such namespace');
      return {
        read: async (call) => {
          const sent = structuredClone(call);
          await io.wait();
          if (objects.trouble === 'broken') throw new Error('the object is broken');
          if (objects.trouble === 'overloaded') return { kind: 'overloaded' };
          const answer = structuredClone(await instanceOf(name, sent.region).read(sent, keep));
          await io.wait();
          if (objects.trouble === 'loses-answers') throw new Error('the object was reset');
          return answer;
        },
        cancel: async (id) => instances.get(name)?.cancel(id),
      };
    },
    lose: () => {
      for (const name of [...instances.keys()]) if (chance.is(0.5)) instances.delete(name);
    },
  };
  return objects;
}
