// The Cache API of one data centre. Its answers take time, entries disappear at random, and it may have a fault.
import type { Chance } from '../../support/chance.ts';
import type { PlainResponse } from './plain-platform.ts';
import type { Timeline } from './timeline.ts';

export interface ColoCache {
  readonly cache: Cache;
  trouble: 'reads' | 'writes' | 'all' | undefined;
  forget(chance: Chance, likelihood: number): void;
}

interface ColoCacheOptions {
  readonly timeline: Timeline;
  readonly name: string;
  readonly legMs: number;
}

export function createColoCache({ timeline, name, legMs }: ColoCacheOptions): ColoCache {
  const held = new Map<string, PlainResponse>();
  /** Compares URLs by meaning and not by spelling, like a real cache. */
  const normalize = (url: string): string => new URL(url).href;
  const arrive = <T>(label: string, act: () => T): Promise<T> =>
    new Promise((resolve, reject) =>
      timeline.deliver(
        () => `${name} ${label}`,
        legMs,
        () => {
          try {
            resolve(act());
          } catch (error) {
            reject(error);
          }
        },
      ),
    );
  const failWhen = (isOut: boolean): void => {
    if (isOut) throw new Error('cache trouble');
  };
  const cache = {
    match: (url: string) =>
      arrive(`match ${url}`, () => {
        failWhen(colo.trouble === 'reads' || colo.trouble === 'all');
        return held.get(normalize(url))?.clone();
      }),
    put: (url: string, response: PlainResponse) =>
      arrive(`put ${url}`, () => {
        failWhen(colo.trouble === 'writes' || colo.trouble === 'all');
        held.set(normalize(url), response);
      }),
    delete: (url: string) => arrive(`delete ${url}`, () => held.delete(normalize(url))),
  };
  const colo: ColoCache = {
    cache: cache as unknown as Cache,
    trouble: undefined,
    forget: (chance, likelihood) => {
      for (const url of [...held.keys()]) if (chance.is(likelihood)) held.delete(url);
    },
  };
  return colo;
}
