// Origins that behave as a test says, behind the same `fetch` that the worker calls. They keep what they were asked.
import type { StoredList } from '../../../shared/entry.ts';
import { type ListKey, makeCacheKey } from '../../../shared/keys.ts';
import { encodeListFrames, LIST_FRAMES_TYPE, type ListResult } from '../../../shared/list-frames.ts';
import { LISTS_READ_PATH, MANIFEST_PATH } from '../../../shared/lists-read.ts';
import type { Manifest } from '../../../shared/manifest.ts';

/**
 * How a region answers: as it should, as it should but not before `release`, with a status, not at all (`hangs-on`: deaf to its abort signal
 * too), with bytes that mean nothing, with failures for real users only, or, its table being out of reach, with failures for every key.
 */
export type Behaviour =
  | 'up'
  | 'slow'
  | number
  | 'refuses'
  | 'hangs'
  | 'hangs-on'
  | 'garbles'
  | 'cuts'
  | 'fails-listeners'
  | 'table-down';

export interface OriginCall {
  readonly region: string;
  readonly path: string;
  readonly headers: Headers;
  readonly keys: readonly ListKey[];
  readonly redirect: string | undefined;
  readonly signal: AbortSignal | null | undefined;
}

export interface ScriptedOrigins {
  readonly calls: OriginCall[];
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Makes `region` (or all) behave so, for list reads, manifests, or both. */
  behave(behaviour: Behaviour, options?: { region?: string; path?: string }): void;
  /** Lets go of the answers of the slow: they hold what was there when they were asked for. */
  release(): void;
  publish(manifest: Manifest, region?: string): void;
  put(key: ListKey, list: StoredList): void;
  /** Settles at the next call to `region`. */
  arrival(region: string): Promise<void>;
  /** Regions that were asked for lists, in order. */
  listReads(): string[];
  manifestReads(): string[];
}

export const REGION_NAMES = ['asia', 'europe', 'us'] as const;

export function createScriptedOrigins(manifest: Manifest): ScriptedOrigins {
  const calls: OriginCall[] = [];
  const behaviours = new Map<string, Behaviour>();
  const manifests = new Map<string, Manifest>(REGION_NAMES.map((name) => [name, manifest]));
  const lists = new Map<string, StoredList>();
  const waiting = new Map<string, () => void>();
  let held: (() => void)[] = [];

  const answerLists = (keys: readonly ListKey[], result: (key: ListKey) => ListResult): Uint8Array<ArrayBuffer> =>
    encodeListFrames(keys.map(result));
  const stored = (key: ListKey): ListResult => lists.get(makeCacheKey(key)) ?? { kind: 'absent' };

  function readManifest(region: string, headers: Headers): Response {
    const live = manifests.get(region);
    const etag = `"${live?.version}"`;
    if (headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers: { etag } });
    return new Response(JSON.stringify(live), { headers: { etag } });
  }

  async function misbehave(behaviour: Behaviour, keys: readonly ListKey[], init: RequestInit): Promise<Response> {
    if (typeof behaviour === 'number') return new Response('{}', { status: behaviour });
    if (behaviour === 'refuses') throw new TypeError('connection refused');
    if (behaviour === 'garbles') return new Response('<html>not what you asked for</html>');
    if (behaviour === 'cuts') return new Response(answerLists(keys, stored).slice(0, -1));
    if (behaviour === 'fails-listeners') {
      return new Response(
        answerLists(keys, (key) => (key.user.startsWith('~') ? stored(key) : { kind: 'error', code: 'internal' })),
      );
    }
    if (behaviour === 'table-down')
      return new Response(answerLists(keys, () => ({ kind: 'error', code: 'unavailable' })));
    if (behaviour === 'slow') {
      const answer = new Response(answerLists(keys, stored));
      return new Promise((resolve) => held.push(() => resolve(answer)));
    }
    if (behaviour === 'hangs-on') return new Promise(() => {});
    return new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason)));
  }

  return {
    calls,
    fetch: async (url, init) => {
      const { hostname, pathname } = new URL(url);
      const region = hostname.split('.')[0] ?? '';
      const headers = new Headers(init.headers);
      const keys = typeof init.body === 'string' ? (JSON.parse(init.body) as { keys: ListKey[] }).keys : [];
      calls.push({ region, path: pathname, headers, keys, redirect: init.redirect, signal: init.signal });
      waiting.get(region)?.();
      const behaviour = behaviours.get(`${region} ${pathname}`) ?? 'up';
      const isRead = pathname === LISTS_READ_PATH;
      if (behaviour !== 'up' && (isRead || behaviour !== 'table-down')) return misbehave(behaviour, keys, init);
      if (pathname === MANIFEST_PATH) return readManifest(region, headers);
      return new Response(answerLists(keys, stored), { headers: { 'content-type': LIST_FRAMES_TYPE } });
    },
    behave: (behaviour, { region, path } = {}) => {
      for (const name of region === undefined ? REGION_NAMES : [region]) {
        for (const each of path === undefined ? [LISTS_READ_PATH, MANIFEST_PATH] : [path]) {
          behaviours.set(`${name} ${each}`, behaviour);
        }
      }
    },
    release: () => {
      const released = held;
      held = [];
      for (const answer of released) answer();
    },
    publish: (next, region) => {
      for (const name of region === undefined ? REGION_NAMES : [region]) manifests.set(name, next);
    },
    put: (key, list) => lists.set(makeCacheKey(key), list),
    arrival: (region) =>
      new Promise((resolve) => {
        waiting.set(region, () => {
          waiting.delete(region);
          resolve();
        });
      }),
    listReads: () => calls.filter(({ path }) => path === LISTS_READ_PATH).map(({ region }) => region),
    manifestReads: () => calls.filter(({ path }) => path === MANIFEST_PATH).map(({ region }) => region),
  };
}
