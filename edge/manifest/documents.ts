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

/** Pause after a document that no region had. */
const RETRY_AFTER_MS = 1_000;

export function createDocuments({ clock, client, cache }: DocumentsOptions): Documents {
  /** The documents of the last manifest that was held. */
  let held: ReadonlyMap<string, Parsed> = new Map();
  let refused: { readonly text: string; readonly atMs: number; readonly error: Error } | undefined;

  /** From the data centre, else from the first region that has a valid one. */
  async function read(name: DocumentName, call: Call): Promise<Parsed> {
    let reason = 'no region answered in time';
    const tryParse = (json: string): Parsed | undefined => {
      try {
        return parseDocument(name, json);
      } catch (error) {
        reason = (error as Error).message;
        return undefined;
      }
    };
    const cached = await cache.getDocument(name);
    const parsed = cached === undefined ? undefined : tryParse(cached);
    if (parsed !== undefined) return parsed;
    for (const region of call.regions) {
      if (remainingMs(call, clock) === 0) break;
      const answer = await client.readDocument(region, name, call);
      if (answer.kind === 'failed') {
        reason = `${region.name}: ${answer.failure.reason}`;
        continue;
      }
      const read = tryParse(answer.value);
      if (read === undefined) continue;
      call.waitUntil(cache.setDocument(name, answer.value));
      return read;
    }
    throw new Error(`expected the document ${nameDocument(name)}, got none: ${reason}`);
  }

  /** A document that no region has is not asked for again at once: each region's manifest may name it. */
  async function readOrRefuse(name: DocumentName, call: Call): Promise<Parsed> {
    const text = nameDocument(name);
    if (refused?.text === text && clock.now() - refused.atMs < RETRY_AFTER_MS) throw refused.error;
    try {
      return await read(name, call);
    } catch (error) {
      refused = { text, atMs: clock.now(), error: error as Error };
      throw error;
    }
  }

  return {
    hold: async (manifest, call) => {
      const parsed = new Map<string, Parsed>();
      for (const name of documentsOf(manifest)) {
        const text = nameDocument(name);
        parsed.set(text, held.get(text) ?? (await readOrRefuse(name, call)));
      }
      held = parsed;
      return holdDocuments(manifest, parsed);
    },
  };
}

/** The switches that are on, and the numbers of erasures and blocked items, at `nowMs`. */
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
