// Writes documents beside the manifest, and lets the manifest name them: first the rows, then the manifest by
// compare-and-set. A row that no kept manifest names is deleted after some days.
import { hasDigestOfName, makeDocumentVersion, readDocument } from '../../origin/bigtable/document-row.ts';
import { readRows } from '../../origin/bigtable/read-rows.ts';
import {
  type DocumentKind,
  type DocumentName,
  documentsOf,
  MAX_DOCUMENT_BYTES,
  nameDocument,
  parseDocument,
} from '../../shared/domain/effects/documents.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { readControlCell, replaceControlCell } from '../bigtable/control-row.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { withRetries } from '../bigtable/retry.ts';
import { changeManifest } from '../manifest/change-manifest.ts';
import type { Origins } from '../manifest/served-manifests.ts';
import { readLive } from '../release/live.ts';
import { restoreDocument } from './served-documents.ts';

/**
 * The JSON of a document that the manifest names. A row that is lost or broken is repaired from an origin. Throws an
 * EarshotError, or an Error if no origin has the document either.
 */
export async function readStored(
  control: ControlTable,
  name: DocumentName,
  origins: Origins | undefined,
): Promise<string> {
  const { bigtable, appProfile, retries } = control;
  try {
    return await withRetries(retries, (timeoutMs) => readDocument(bigtable, appProfile, name, timeoutMs));
  } catch (error) {
    if (error instanceof EarshotError) throw error;
    const json = await restoreDocument(control, name, origins);
    if (json !== undefined) return json;
    throw new Error(
      `${(error as Error).message}, and no origin has it${origins === undefined ? ': none is known (set EARSHOT_ORIGINS and EARSHOT_ORIGIN_SECRET)' : ''}`,
      { cause: error },
    );
  }
}

/** Writes the document, unless it is there. Returns its version. Throws an Error for one that readers would refuse. */
export async function writeDocument(control: ControlTable, kind: DocumentKind, json: string): Promise<string> {
  if (Buffer.byteLength(json) > MAX_DOCUMENT_BYTES)
    throw new Error(`expected a document of at most ${MAX_DOCUMENT_BYTES} bytes, got ${Buffer.byteLength(json)}`);
  const name = { kind, version: makeDocumentVersion(json, control.retries.clock.now()) };
  parseDocument(name, json);
  const cell = {
    rowKey: nameDocument(name),
    read: undefined,
    value: Buffer.from(json),
    what: 'the write of a document',
  };
  if ((await replaceControlCell(control, cell)) === undefined)
    throw new Error(`expected ${nameDocument(name)} to be new, got one of the same moment: try again`);
  return name.version;
}

/** Writes a document of another instance under its name, unless it is there. */
export async function putDocument(control: ControlTable, name: DocumentName, json: string): Promise<void> {
  parseDocument(name, json);
  const rowKey = nameDocument(name);
  const read = await readControlCell(control, rowKey);
  if (read !== undefined && hasDigestOfName(name, read.value)) return;
  await replaceControlCell(control, { rowKey, read, value: Buffer.from(json), what: 'the write of a document' });
}

type Documents = NonNullable<Manifest['documents']>;

export interface DocumentChange {
  readonly what: string;
  readonly why?: string | undefined;
  readonly by: string;
  readonly dryRun: boolean;
  readonly origins: Origins | undefined;
  /**
   * Writes what is new, and returns what the manifest names then; undefined if nothing changes. In a dry run it writes
   * nothing, and returns the names of before.
   */
  readonly prepare: (documents: Documents, nowMs: number) => Promise<PreparedDocuments | undefined>;
}

export interface PreparedDocuments {
  readonly documents: Documents;
  /** For readers that know no documents. Default: as they are. */
  readonly erasures?: Manifest['erasures'];
}

export interface DocumentOutcome {
  readonly version: number;
  readonly writtenAtMs: number;
  readonly isChanged: boolean;
}

const MAX_ATTEMPTS = 10;

/** Throws an Error with the reason if nothing was changed. */
export async function changeDocuments(control: ControlTable, options: DocumentChange): Promise<DocumentOutcome> {
  const { what, why, by, dryRun, origins, prepare } = options;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const live = await readLive(control);
    const prepared = await prepare(live.documents ?? {}, control.retries.clock.now());
    if (prepared === undefined) return { version: live.version, writtenAtMs: 0, isChanged: false };
    let isOvertaken = false;
    const { next, nowMs } = await changeManifest(control, {
      ...{ what, why, by, dryRun, origins },
      change: (current) => {
        isOvertaken = JSON.stringify(current.documents) !== JSON.stringify(live.documents);
        if (isOvertaken) return current;
        return { ...current, documents: prepared.documents, erasures: prepared.erasures ?? current.erasures };
      },
    });
    if (!isOvertaken) return { version: next.version, writtenAtMs: nowMs, isChanged: true };
  }
  throw new Error(`other writers changed the documents ${MAX_ATTEMPTS} times in a row; nothing was changed: try again`);
}

/** Rows of documents that are older than this, and that the live manifest does not name, are deleted. */
const KEEP_ROWS_MS = 2 * 86_400_000;

/** Never rejects: a row that stays costs some kilobytes. */
export async function deleteOldDocuments(control: ControlTable, live: Manifest): Promise<void> {
  // Without a manifest nothing says which documents origins hold.
  if (live.version === 0) return;
  const named = new Set(documentsOf(live).map(nameDocument));
  const { bigtable, appProfile, retries } = control;
  const olderThanMs = retries.clock.now() - KEEP_ROWS_MS;
  try {
    for (const kind of ['erasures', 'blocked'] as const) {
      const rows = { rowRanges: [{ startKeyClosed: Buffer.from(`${kind}#`), endKeyOpen: Buffer.from(`${kind}$`) }] };
      const filter = { chain: { filters: [{ cellsPerRowLimitFilter: 1 }, { stripValueTransformer: true }] } };
      const found = await readRows(bigtable, { table: TABLES.control, appProfile, rows, filter, timeoutMs: 10_000 });
      for (const { key, cells } of found) {
        const writtenAtMs = (cells[0]?.timestampMicros ?? 0) / 1000;
        const rowKey = key.toString();
        if (named.has(rowKey) || writtenAtMs > olderThanMs) continue;
        const read = { value: Buffer.alloc(0), writtenAtMs };
        await replaceControlCell(control, { rowKey, read, value: undefined, what: 'the deletion of a document' });
      }
    }
  } catch {
    // The next command tries again.
  }
}
