// Origins that behave as a test says, behind the same `fetch` that the worker calls. They keep what they were asked.
import type { StoredList } from '../../../shared/entry.ts';
import { type ListKey, makeCacheKey } from '../../../shared/keys.ts';
import { encodeListFrames, LIST_FRAMES_TYPE, type ListResult } from '../../../shared/list-frames.ts';
import { LISTS_READ_PATH, MANIFEST_PATH } from '../../../shared/lists-read.ts';
import type { Manifest } from '../../../shared/manifest.ts';
import { turnUntil } from './turns.ts';

/**
 * How a region answers: as it should; as it should, or with a 503, but not before `release`; with a status; not at all (`hangs-on`: deaf to its
 * abort signal too); with bytes that mean nothing; with failures for real users only; or, its table being out of reach, with failures for
 * every key.
 */
export type Behaviour =
  | 'up'
  | 'slow'
  | 'slow-fails'
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
  /** Makes `region` (or all) behave so, for list reads, manifests, or both; for so many `times` each, and then as it should. Default: for good. */
  behave(behaviour: Behaviour, options?: { region?: string; path?: string; times?: number }): void;
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
  const behaviours = new Map<string, { behaviour: Behaviour; times: number }>();
  const manifests = new Map<string, Manifest>(REGION_NAMES.map((name) => [name, manifest]));
  const lists = new Map<string, StoredList>();
  let releases = 0;

  const answerLists = (keys: readonly ListKey[], result: (key: ListKey) => ListResult): Uint8Array<ArrayBuffer> =>
    encodeListFrames(keys.map(result));
  const stored = (key: ListKey): ListResult => lists.get(makeCacheKey(key)) ?? { kind: 'absent' };

  function takeBehaviour(of: string): Behaviour {
    const scripted = behaviours.get(of);
    if (scripted === undefined || scripted.times === 0) return 'up';
    scripted.times--;
    return scripted.behaviour;
  }

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
    if (behaviour === 'slow' || behaviour === 'slow-fails') {
      const answer =
        behaviour === 'slow' ? new Response(answerLists(keys, stored)) : new Response('{}', { status: 503 });
      const releasesBefore = releases;
      await turnUntil(() => releases > releasesBefore);
      return answer;
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
      const behaviour = takeBehaviour(`${region} ${pathname}`);
      const isRead = pathname === LISTS_READ_PATH;
      if (behaviour !== 'up' && (isRead || behaviour !== 'table-down')) return misbehave(behaviour, keys, init);
      if (pathname === MANIFEST_PATH) return readManifest(region, headers);
      return new Response(answerLists(keys, stored), { headers: { 'content-type': LIST_FRAMES_TYPE } });
    },
    behave: (behaviour, { region, path, times = Number.POSITIVE_INFINITY } = {}) => {
      for (const name of region === undefined ? REGION_NAMES : [region]) {
        for (const each of path === undefined ? [LISTS_READ_PATH, MANIFEST_PATH] : [path]) {
          behaviours.set(`${name} ${each}`, { behaviour, times });
        }
      }
    },
    release: () => {
      releases++;
    },
    publish: (next, region) => {
      for (const name of region === undefined ? REGION_NAMES : [region]) manifests.set(name, next);
    },
    put: (key, list) => lists.set(makeCacheKey(key), list),
    arrival: (region) => {
      const count = (): number => calls.filter((call) => call.region === region).length;
      const before = count();
      return turnUntil(() => count() > before);
    },
    listReads: () => calls.filter(({ path }) => path === LISTS_READ_PATH).map(({ region }) => region),
    manifestReads: () => calls.filter(({ path }) => path === MANIFEST_PATH).map(({ region }) => region),
  };
}
