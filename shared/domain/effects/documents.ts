// Documents beside the manifest: immutable values that are too large for it. The manifest names the version of each,
// so one poll tells a change, and a reader keeps the manifest and its documents as a pair.
import type { Manifest } from '../manifest.ts';
import { type BlockList, NOTHING_BLOCKED, parseBlockList } from './block-list.ts';
import { type ErasureDocument, parseErasures } from './erasure-document.ts';

export const DOCUMENT_KINDS = ['erasures', 'blocked'] as const;
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];

/** Maximum bytes of one document. 50 000 erasures have 1.6 MB. */
export const MAX_DOCUMENT_BYTES = 4_194_304;
/** Documents of a later format are refused: the last good pair stays. */
export const DOCUMENT_FORMAT = 1;

export interface DocumentName {
  readonly kind: DocumentKind;
  readonly version: string;
}

/** The parsed documents of one manifest. */
export interface HeldDocuments {
  readonly erasures: readonly ErasureDocument[];
  readonly blocked: BlockList;
}

/** A manifest with its documents. Without `held` it has none. */
export type LiveManifest = Manifest & { readonly held?: HeldDocuments };

export const NO_DOCUMENTS: HeldDocuments = { erasures: [], blocked: NOTHING_BLOCKED };

/** The documents that `manifest` names. */
export function documentsOf({ documents }: Manifest): DocumentName[] {
  const { erasures = [], blocked } = documents ?? {};
  return [
    ...erasures.map((version) => ({ kind: 'erasures' as const, version })),
    ...(blocked === undefined ? [] : [{ kind: 'blocked' as const, version: blocked }]),
  ];
}

/** `kind#version`, also the key of its row in the table `control`. */
export const nameDocument = ({ kind, version }: DocumentName): string => `${kind}#${version}`;

export const isDocumentKind = (text: string): text is DocumentKind =>
  (DOCUMENT_KINDS as readonly string[]).includes(text);

/** Parses the JSON of a document. Throws an Error for a value that is too large, no JSON, or of a later format. */
export function parseDocument({ kind }: DocumentName, json: string): ErasureDocument | BlockList {
  if (json.length > MAX_DOCUMENT_BYTES)
    throw new Error(`expected a document of at most ${MAX_DOCUMENT_BYTES} bytes, got ${json.length}`);
  const value = JSON.parse(json) as { readonly format?: unknown } | null;
  if (value?.format !== DOCUMENT_FORMAT)
    throw new Error(`expected a document of format ${DOCUMENT_FORMAT}, got ${JSON.stringify(value?.format)}`);
  return kind === 'erasures' ? parseErasures(value) : parseBlockList(value);
}

/** The pair of a manifest and its parsed documents. */
export function holdDocuments(
  manifest: Manifest,
  parsed: ReadonlyMap<string, ErasureDocument | BlockList>,
): LiveManifest {
  const names = documentsOf(manifest);
  if (names.length === 0) return manifest;
  const of = (name: DocumentName): ErasureDocument | BlockList => {
    const found = parsed.get(nameDocument(name));
    if (found === undefined) throw new Error(`expected the document ${nameDocument(name)}, got none`);
    return found;
  };
  const blocked = names.find(({ kind }) => kind === 'blocked');
  return {
    ...manifest,
    held: {
      erasures: names.filter(({ kind }) => kind === 'erasures').map((name) => of(name) as ErasureDocument),
      blocked: blocked === undefined ? NOTHING_BLOCKED : (of(blocked) as BlockList),
    },
  };
}
