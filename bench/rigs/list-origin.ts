// An origin with a list for every user, derived from the user's name: 50 items, about 2 KB. It counts requested keys,
// so that tests can tell a real hit from a repeated load.

import { hash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { toName } from '../../shared/domain/ids.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { StoredList } from '../../shared/domain/list.ts';
import { DEFAULT_LIMIT, encodeItem, ITEM_SEPARATOR, MAX_ITEMS } from '../../shared/domain/list.ts';
import { DEFAULT_LIST_TTL_SECONDS, FULL_WEIGHT, type Manifest } from '../../shared/domain/manifest.ts';
import { encodeUtf8 } from '../../shared/runtime/bytes.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';
import { boundResults } from '../../shared/wire/bounded-results.ts';
import { EDGE_REPORT_PATH } from '../../shared/wire/edge/edge-report.ts';
import { DOCUMENTS_PATH, LISTS_READ_PATH, MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import { encodeListFrames, LIST_FRAMES_TYPE } from '../../shared/wire/read-response.ts';
import { generationDaysAgo } from '../support/generation-days-ago.ts';

const GENERATION = generationDaysAgo(7);
const DIGEST_CHARS = 16;

/** The surfaces before anything is published. */
export const LIVE_SURFACES = {
  home: {
    salt: 'home-1',
    listTtlSeconds: DEFAULT_LIST_TTL_SECONDS,
    variants: [
      { name: toName('control'), weight: FULL_WEIGHT * 0.9, current: GENERATION },
      { name: toName('knn'), weight: FULL_WEIGHT * 0.1, current: GENERATION },
    ],
  },
} satisfies Manifest['surfaces'];
/** One experiment of all users of `home`, for a manifest that has it. */
export const EXPERIMENTS = {
  ranking: {
    ...{ surface: 'home', layer: 'home', salt: 'ranking-1', state: 'running', control: 'control' },
    slots: [[0, 10_000] as const],
    arms: [
      { variant: 'control', buckets: [[0, 5_000] as const] },
      { variant: 'knn', buckets: [[5_000, 10_000] as const] },
    ],
  },
};
const MANIFEST: Manifest = { version: 1, surfaces: LIVE_SURFACES, erasures: [] };

export interface ListOrigin {
  readonly url: string;
  /** Number of requested keys so far. */
  readonly reads: number;
  /** Bytes of answered documents so far. */
  readonly documentBytes: number;
  /** The next manifest, with `documents` by their names. Those of before are gone. */
  publish(change: Partial<Manifest>, documents: ReadonlyMap<string, string>): void;
  stop(): Promise<void>;
}

interface ListOriginOptions {
  /** Awaited before lists are answered. The signal aborts when the caller closes the connection. */
  readonly beforeLists?: (signal: AbortSignal) => Promise<void>;
  /** Bytes of metadata of each item of an expanded list, which then has 100 items. Default: none, and 50 items. */
  readonly metadataBytes?: number;
}

/** Listens on a free port of this machine. */
export async function startListOrigin({ beforeLists, metadataBytes }: ListOriginOptions = {}): Promise<ListOrigin> {
  let reads = 0;
  let documentBytes = 0;
  let manifest = MANIFEST;
  let documents: ReadonlyMap<string, string> = new Map();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === MANIFEST_PATH) {
      const etag = `"${manifest.version}"`;
      const isHeld = request.headers['if-none-match'] === etag;
      response.writeHead(isHeld ? 304 : 200, { etag, 'content-type': 'application/json' });
      response.end(isHeld ? undefined : JSON.stringify(manifest));
      return;
    }
    if (request.url?.startsWith(DOCUMENTS_PATH)) {
      const json = documents.get(request.url.slice(DOCUMENTS_PATH.length + 1).replace('/', '#'));
      documentBytes += json?.length ?? 0;
      response.writeHead(json === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(json);
      return;
    }
    if (request.url === EDGE_REPORT_PATH) {
      response.writeHead(204).end();
      return;
    }
    if (request.url !== LISTS_READ_PATH) throw new Error(`expected ${LISTS_READ_PATH}, got ${request.url}`);
    const { keys } = (await json(request)) as { keys: readonly ListKey[] };
    reads += keys.length;
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    await beforeLists?.(gone.signal);
    response
      .writeHead(200, { 'content-type': LIST_FRAMES_TYPE })
      .end(encodeListFrames(boundResults(keys.map((key) => makeList(key, metadataBytes)))));
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get reads() {
      return reads;
    },
    get documentBytes() {
      return documentBytes;
    },
    publish: (change, next) => {
      manifest = { ...manifest, ...change, version: manifest.version + 1 };
      documents = next;
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function makeList({ user, generation, expand }: ListKey, metadataBytes: number | undefined): StoredList {
  const isExpanded = expand !== undefined && metadataBytes !== undefined;
  const metadata = isExpanded ? `,"metadata":{"text":"${'x'.repeat(metadataBytes)}"}}` : '}';
  const items = Array.from({ length: isExpanded ? MAX_ITEMS : DEFAULT_LIMIT }, (_, i) => {
    const item = encodeItem(`track:${1_000_000 + (murmur3(user, i) % 1_000_000)}`, String(1 - i / 1000));
    return `${item.slice(0, -1)}${metadata}`;
  });
  const bytes = encodeUtf8(items.join(ITEM_SEPARATOR));
  return { kind: 'list', bytes, generation, digest: hash('sha256', bytes, 'base64url').slice(0, DIGEST_CHARS) };
}
