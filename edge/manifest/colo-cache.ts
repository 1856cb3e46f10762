// The manifest and its documents in the Cache API of the data centre, so that a new isolate starts with those of its
// neighbours. A failing cache is a miss and a counter.
import { type DocumentName, nameDocument } from '../../shared/domain/effects/documents.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { withTimeout } from '../request/with-timeout.ts';
import type { ColoOptions } from '../tiers/colo.ts';
import { TIER_TIMEOUT_MS } from '../tiers/tier.ts';

/** A manifest as received, with the moment of an origin's last confirmation. */
export interface StoredManifest {
  readonly json: string;
  readonly etag: string | undefined;
  readonly checkedAtMs: number;
}

/** A document is stored once, and may be needed for as long as an erasure is remembered. */
const DOCUMENT_KEEP_MS = 31 * 86_400_000;

export interface ManifestCache {
  get(): Promise<StoredManifest | undefined>;
  set(stored: StoredManifest): Promise<void>;
  getDocument(name: DocumentName): Promise<string | undefined>;
  setDocument(name: DocumentName, json: string): Promise<void>;
}

interface ManifestCacheOptions extends ColoOptions {
  readonly counters: Counters;
  /** Maximum age of an unconfirmed manifest in milliseconds. */
  readonly keepMs: number;
}

export function createColoManifest({
  clock,
  counters,
  openCache,
  keyOrigin,
  keepMs,
}: ManifestCacheOptions): ManifestCache {
  const url = `${keyOrigin}/.earshot/manifest`;
  const urlOf = (name: DocumentName): string =>
    `${keyOrigin}/.earshot/documents/${encodeURIComponent(nameDocument(name))}`;
  const countError = (): undefined => {
    counters.add('edge_tier_errors_total');
    return undefined;
  };

  async function get(): Promise<StoredManifest | undefined> {
    const response = await (await openCache()).match(url);
    if (response === undefined) return undefined;
    const json = await response.text();
    const checkedAtMs = Number(response.headers.get('earshot-checked-at') ?? Number.NaN);
    if (!Number.isFinite(checkedAtMs)) return undefined;
    // Another server's clock may be ahead. Its manifest must not look fresher than new.
    return {
      json,
      etag: response.headers.get('earshot-etag') ?? undefined,
      checkedAtMs: Math.min(checkedAtMs, clock.now()),
    };
  }

  async function set({ json, etag, checkedAtMs }: StoredManifest): Promise<void> {
    const headers = new Headers({
      'content-type': 'application/json',
      'cache-control': `max-age=${Math.ceil(keepMs / 1000)}`,
      'earshot-checked-at': String(checkedAtMs),
    });
    if (etag !== undefined) headers.set('earshot-etag', etag);
    await (await openCache()).put(url, new Response(json, { headers }));
  }

  async function getDocument(name: DocumentName): Promise<string | undefined> {
    const response = await (await openCache()).match(urlOf(name));
    return response?.text();
  }

  async function setDocument(name: DocumentName, json: string): Promise<void> {
    const headers = { 'content-type': 'application/json', 'cache-control': `max-age=${DOCUMENT_KEEP_MS / 1000}` };
    await (await openCache()).put(urlOf(name), new Response(json, { headers }));
  }

  return {
    get: () => withTimeout(clock, TIER_TIMEOUT_MS, get).catch(countError),
    set: (stored) => set(stored).catch(countError),
    getDocument: (name) => withTimeout(clock, TIER_TIMEOUT_MS, () => getDocument(name)).catch(countError),
    setDocument: (name, json) => setDocument(name, json).catch(countError),
  };
}
