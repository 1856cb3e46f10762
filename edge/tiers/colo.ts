// The Cache API of one data centre. It is a named cache, never `caches.default`: the zone shares that one, and could
// serve an entry to anyone without running the worker. The lifetime is in max-age, because s-maxage disables
// stale-while-revalidate.
import type { Entry } from '../../shared/caching/entry.ts';
import type { CacheKey } from '../../shared/domain/keys.ts';
import type { ListValue } from '../../shared/domain/list.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Tier } from './tier.ts';

export interface ColoOptions {
  readonly clock: Clock;
  /** Called for each use: a Cache belongs to the request that opened it. */
  readonly openCache: () => Promise<Cache>;
  /** Scheme and host of the keys: the worker's own, as Cloudflare recommends. */
  readonly keyOrigin: string;
}

export const createColoTier = ({ clock, openCache, keyOrigin }: ColoOptions): Tier => ({
  name: 'colo',
  get: async (key) => {
    const response = await (await openCache()).match(makeColoUrl(keyOrigin, key));
    if (response === undefined) return undefined;
    const bytes = new Uint8Array(await response.arrayBuffer());
    // A zone's settings can rewrite cache keys. An entry under another key is a miss.
    return response.headers.get('earshot-key') === key ? decodeEntry(response.headers, bytes) : undefined;
  },
  set: async (key, entry) => {
    const lifetimeSeconds = Math.ceil((entry.staleUntilMs - clock.now()) / 1000);
    if (lifetimeSeconds <= 0) return;
    const headers = encodeHeaders(key, entry, lifetimeSeconds);
    const body = entry.value.kind === 'list' ? entry.value.bytes : new Uint8Array();
    await (await openCache()).put(makeColoUrl(keyOrigin, key), new Response(body, { headers }));
  },
});

/** The key as one path segment: `..` is a valid user id, and URL parsing would remove it as a segment of its own. */
const makeColoUrl = (keyOrigin: string, key: CacheKey): string =>
  `${keyOrigin}/.earshot/lists/${encodeURIComponent(key)}`;

function encodeHeaders(key: CacheKey, entry: Entry, lifetimeSeconds: number): Headers {
  const headers = new Headers({
    'content-type': 'application/octet-stream',
    'cache-control': `max-age=${lifetimeSeconds}`,
    'earshot-key': key,
    'earshot-kind': entry.value.kind,
    'earshot-stored-at': String(entry.storedAtMs),
    'earshot-load-ms': String(entry.loadMs),
    'earshot-fresh-until': String(entry.freshUntilMs),
    'earshot-revalidate-until': String(entry.revalidateUntilMs),
    'earshot-stale-until': String(entry.staleUntilMs),
  });
  if (entry.value.kind === 'list') {
    headers.set('earshot-generation', String(entry.value.generation));
    headers.set('earshot-digest', entry.value.digest);
  }
  return headers;
}

function decodeEntry(headers: Headers, bytes: Uint8Array): Entry | undefined {
  const number = (name: string): number => Number(headers.get(name) ?? Number.NaN);
  const value = decodeValue(
    headers.get('earshot-kind'),
    number('earshot-generation'),
    headers.get('earshot-digest'),
    bytes,
  );
  const times = {
    storedAtMs: number('earshot-stored-at'),
    loadMs: number('earshot-load-ms'),
    freshUntilMs: number('earshot-fresh-until'),
    revalidateUntilMs: number('earshot-revalidate-until'),
    staleUntilMs: number('earshot-stale-until'),
  };
  return value === undefined || !Object.values(times).every(Number.isFinite) ? undefined : { value, ...times };
}

function decodeValue(
  kind: string | null,
  generation: number,
  digest: string | null,
  bytes: Uint8Array,
): ListValue | undefined {
  if (kind === 'absent') return { kind };
  return kind === 'list' && Number.isFinite(generation) && digest !== null
    ? { kind, bytes, generation, digest }
    : undefined;
}
