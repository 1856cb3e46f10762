// Scripted origins behind the `fetch` of the worker. They record their requests.
import { type DocumentName, nameDocument } from '../../../shared/domain/effects/documents.ts';
import { type ListKey, makeCacheKey } from '../../../shared/domain/keys.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { type Clock, systemClock } from '../../../shared/runtime/clock.ts';
import { EDGE_REPORT_PATH } from '../../../shared/wire/edge/edge-report.ts';
import { BUILD_HEADER, MESSAGE_VERSION_HEADER } from '../../../shared/wire/message-version.ts';
import { DOCUMENTS_PATH, LISTS_READ_PATH, type ListQuery, MANIFEST_PATH } from '../../../shared/wire/read-request.ts';
import {
  type AgedValue,
  encodeListFrames,
  LIST_FRAMES_TYPE,
  type ListResult,
} from '../../../shared/wire/read-response.ts';
import { turnUntil } from './turns.ts';

/**
 * Behaviour of a region: normal; normal or 503, but not before `release`; a fixed status; no answer (`hangs-on`:
 * ignores the abort signal too); malformed bytes; failures for real users only; an unreachable table, with failures for
 * every key or for the items of expanded ones; or overload, with failures for background reads (`slow-sheds`: not
 * before `release`).
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
  | 'table-down'
  | 'items-down'
  | 'sheds'
  | 'slow-sheds';

/** Whether an origin answers from memory with values young enough for the caller, with any value, or never. */
export type Memory = 'heeds-max-age' | 'ignores-max-age' | 'none';

export interface OriginCall {
  readonly region: string;
  readonly path: string;
  readonly headers: Headers;
  readonly keys: readonly ListQuery[];
  /** Text of a body. */
  readonly body: string | undefined;
  readonly redirect: string | undefined;
  readonly signal: AbortSignal | null | undefined;
}

export interface ScriptedOrigins {
  readonly calls: OriginCall[];
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /**
   * Sets the behaviour of `region` (or all), for list reads, manifests or both. It applies to `times` calls each; then
   * the behaviour is normal. Default: no limit.
   */
  behave(behaviour: Behaviour, options?: { region?: string; path?: string; times?: number }): void;
  /** Calls with a key of `user` get `status` from all regions, as from a proxy that refuses some requests. */
  refuse(user: string, status: number): void;
  /** Releases the answers of slow regions. They contain the values of the time of the request. */
  release(): void;
  publish(manifest: Manifest, region?: string): void;
  /** Stores a document of manifests at all regions; `undefined` removes it. */
  putDocument(name: DocumentName, json: string | undefined): void;
  /**
   * Writes to the tables of all regions. An age is that of a part read elsewhere, for example the items of an expanded
   * list.
   */
  put(key: ListKey, list: AgedValue): void;
  /** Caching of origins from now on. Default: none. */
  remember(memory: Memory): void;
  /** The answers of lists name this build and version of messages from now on. Default: those of version 1, none. */
  nameBuild(build: string, messages: number): void;
  /** Settles at the next call to `region`. */
  arrival(region: string): Promise<void>;
  /** Regions in the order of their list requests. */
  listReads(): string[];
  manifestReads(): string[];
}

export const REGION_NAMES = ['asia', 'europe', 'us'] as const;

export function createScriptedOrigins(manifest: Manifest, clock: Pick<Clock, 'now'> = systemClock): ScriptedOrigins {
  const calls: OriginCall[] = [];
  const behaviours = new Map<string, { behaviour: Behaviour; times: number }>();
  const manifests = new Map<string, Manifest>(REGION_NAMES.map((name) => [name, manifest]));
  const lists = new Map<string, AgedValue>();
  const memories = new Map<string, { value: AgedValue; readAtMs: number }>();
  const refusals = new Map<string, number>();
  const documents = new Map<string, string>();
  let named = {};
  let memory: Memory = 'none';
  let releases = 0;

  const answerLists = (keys: readonly ListQuery[], result: (key: ListQuery) => ListResult): Uint8Array<ArrayBuffer> =>
    encodeListFrames(keys.map(result));

  function storedIn(region: string): (key: ListQuery) => ListResult {
    return (key) => {
      const { maxAgeMs = Number.POSITIVE_INFINITY, isShadow = false } = key;
      const id = `${region} ${makeCacheKey(key)}`;
      const held = memories.get(id);
      const ageMs = clock.now() - (held?.readAtMs ?? 0);
      const isTaken = memory === 'ignores-max-age' || (memory === 'heeds-max-age' && ageMs <= maxAgeMs);
      if (held !== undefined && isTaken && !isShadow) return addAge(held.value, ageMs, key);
      const value = lists.get(makeCacheKey(key)) ?? { kind: 'absent' };
      if (!isShadow) memories.set(id, { value, readAtMs: clock.now() });
      return value;
    };
  }

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

  function readDocument(path: string): Response {
    const json = documents.get(path.slice(DOCUMENTS_PATH.length + 1).replace('/', '#'));
    return json === undefined ? new Response('{}', { status: 404 }) : new Response(json);
  }

  async function misbehave(
    behaviour: Behaviour,
    region: string,
    keys: readonly ListQuery[],
    init: RequestInit,
  ): Promise<Response> {
    const stored = storedIn(region);
    const orShed = (key: ListQuery): ListResult =>
      key.isBackground === true ? { kind: 'error', code: 'overloaded' } : stored(key);
    if (behaviour === 'items-down') {
      return new Response(
        answerLists(keys, (key) => (key.expand === undefined ? stored(key) : { kind: 'error', code: 'unavailable' })),
      );
    }
    if (behaviour === 'sheds') return new Response(answerLists(keys, orShed));
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
    if (behaviour === 'slow' || behaviour === 'slow-fails' || behaviour === 'slow-sheds') {
      const answer =
        behaviour === 'slow-fails'
          ? new Response('{}', { status: 503 })
          : new Response(answerLists(keys, behaviour === 'slow' ? stored : orShed));
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
      const body = typeof init.body === 'string' ? init.body : undefined;
      const { keys = [] } = JSON.parse(body ?? '{}') as { keys?: ListQuery[] };
      calls.push({ region, path: pathname, headers, keys, body, redirect: init.redirect, signal: init.signal });
      const behaviour = takeBehaviour(`${region} ${pathname}`);
      const isRead = pathname === LISTS_READ_PATH;
      const refusal = keys.map((key) => refusals.get(key.user)).find((status) => status !== undefined);
      if (refusal !== undefined) return new Response('{}', { status: refusal });
      if (behaviour !== 'up' && (isRead || behaviour !== 'table-down')) return misbehave(behaviour, region, keys, init);
      if (pathname === EDGE_REPORT_PATH) return new Response(null, { status: 204 });
      if (pathname === MANIFEST_PATH) return readManifest(region, headers);
      if (pathname.startsWith(DOCUMENTS_PATH)) return readDocument(pathname);
      return new Response(answerLists(keys, storedIn(region)), {
        headers: { ...named, 'content-type': LIST_FRAMES_TYPE },
      });
    },
    behave: (behaviour, { region, path, times = Number.POSITIVE_INFINITY } = {}) => {
      for (const name of region === undefined ? REGION_NAMES : [region]) {
        for (const each of path === undefined ? [LISTS_READ_PATH, MANIFEST_PATH] : [path]) {
          behaviours.set(`${name} ${each}`, { behaviour, times });
        }
      }
    },
    refuse: (user, status) => refusals.set(user, status),
    release: () => {
      releases++;
    },
    publish: (next, region) => {
      for (const name of region === undefined ? REGION_NAMES : [region]) manifests.set(name, next);
    },
    putDocument: (name, json) => {
      if (json === undefined) documents.delete(nameDocument(name));
      else documents.set(nameDocument(name), json);
    },
    put: (key, list) => lists.set(makeCacheKey(key), list),
    nameBuild: (build, messages) => {
      named = { [BUILD_HEADER]: build, [MESSAGE_VERSION_HEADER]: String(messages) };
    },
    remember: (next) => {
      memory = next;
      memories.clear();
    },
    arrival: (region) => {
      const count = (): number => calls.filter((call) => call.region === region).length;
      const before = count();
      return turnUntil(() => count() > before);
    },
    listReads: () => calls.filter(({ path }) => path === LISTS_READ_PATH).map(({ region }) => region),
    manifestReads: () => calls.filter(({ path }) => path === MANIFEST_PATH).map(({ region }) => region),
  };
}

/** `value` as answered from memory. */
const addAge = (value: AgedValue, byMs: number, { expand }: ListKey): AgedValue => {
  const { ageMs = 0, itemsAgeMs = 0 } = value;
  return { ...value, ageMs: ageMs + byMs, ...(expand === undefined ? {} : { itemsAgeMs: itemsAgeMs + byMs }) };
};
