// The documents that the manifest names, as stored and parsed. Those of the manifest before are kept, too: an edge that
// has it may still ask for them.
import type { BlockList } from '../../shared/domain/effects/block-list.ts';
import {
  type DocumentName,
  documentsOf,
  holdDocuments,
  type LiveManifest,
  nameDocument,
  parseDocument,
} from '../../shared/domain/effects/documents.ts';
import type { ErasureDocument } from '../../shared/domain/effects/erasure-document.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';

interface Held {
  readonly json: string;
  readonly parsed: ErasureDocument | BlockList;
}

export interface Documents {
  /** The manifest with its documents. Throws an Error if one cannot be read, or is not valid. */
  hold(manifest: Manifest): Promise<LiveManifest>;
  /** A document of the manifest held last, or of the one before. */
  find(name: DocumentName): string | undefined;
}

/** `read` throws an Error for a document that it cannot read. */
export function createDocuments(read: (name: DocumentName) => Promise<string>): Documents {
  let current: ReadonlyMap<string, Held> = new Map();
  let before: ReadonlyMap<string, Held> = new Map();
  const find = (text: string): Held | undefined => current.get(text) ?? before.get(text);

  async function load(name: DocumentName): Promise<Held> {
    const json = await read(name);
    return { json, parsed: parseDocument(name, json) };
  }

  return {
    hold: async (manifest) => {
      const next = new Map<string, Held>();
      for (const name of documentsOf(manifest)) {
        const text = nameDocument(name);
        next.set(text, find(text) ?? (await load(name)));
      }
      const isSame = next.size === current.size && [...next.keys()].every((text) => current.has(text));
      if (!isSame) [before, current] = [current, next];
      return holdDocuments(manifest, new Map([...next].map(([text, { parsed }]) => [text, parsed])));
    },
    find: (name) => find(nameDocument(name))?.json,
  };
}
