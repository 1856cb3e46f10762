// The documents that a manifest names, parsed once for each version: from this isolate, from the cache of the data
// centre, or from an origin. A manifest is taken up only together with all of them.
import type { BlockList } from '../../shared/domain/effects/block-list.ts';
import {
  type DocumentName,
  documentsOf,
  holdDocuments,
  type LiveManifest,
  NO_DOCUMENTS,
  nameDocument,
  parseDocument,
} from '../../shared/domain/effects/documents.ts';
import type { ErasureDocument } from '../../shared/domain/effects/erasure-document.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ManifestStatus } from '../../shared/wire/edge-status.ts';
import { type Call, remainingMs } from '../request/call.ts';
import type { OriginClient } from '../upstream/origin-client.ts';
import type { ManifestCache } from './colo-cache.ts';

export interface Documents {
  /** Throws an Error if a document cannot be read, or is not valid. */
  hold(manifest: Manifest, call: Call): Promise<LiveManifest>;
}

interface DocumentsOptions {
  readonly clock: Clock;
  readonly client: OriginClient;
  readonly cache: ManifestCache;
}

type Parsed = ErasureDocument | BlockList;

export function createDocuments({ clock, client, cache }: DocumentsOptions): Documents {
  /** Of the last manifest that was held. */
  let held: ReadonlyMap<string, Parsed> = new Map();

  async function read(name: DocumentName, call: Call): Promise<Parsed> {
    const cached = await cache.getDocument(name);
    if (cached !== undefined) return parseDocument(name, cached);
    for (const region of call.regions) {
      if (remainingMs(call, clock) === 0) break;
      const answer = await client.readDocument(region, name, call);
      if (answer.kind === 'failed') continue;
      const parsed = parseDocument(name, answer.value);
      call.waitUntil(cache.setDocument(name, answer.value));
      return parsed;
    }
    throw new Error(`expected a region to have the document ${nameDocument(name)}, got none that answers with it`);
  }

  return {
    hold: async (manifest, call) => {
      const parsed = new Map<string, Parsed>();
      for (const name of documentsOf(manifest)) {
        const text = nameDocument(name);
        parsed.set(text, held.get(text) ?? (await read(name, call)));
      }
      held = parsed;
      return holdDocuments(manifest, parsed);
    },
  };
}

/** What the manifest and its documents make take effect at `nowMs`. */
export function describeEffects(
  { held = NO_DOCUMENTS, switches = {} }: LiveManifest,
  nowMs: number,
): NonNullable<ManifestStatus['effects']> {
  const live = Object.entries(switches).filter(([, { untilMs }]) => nowMs < untilMs);
  return {
    switches: live.map(([name, { value }]) => `${name}=${value}`),
    erasures: held.erasures.reduce((sum, { size }) => sum + size, 0),
    blockedItems: held.blocked.at(nowMs)?.size ?? 0,
  };
}
