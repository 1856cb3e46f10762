// The row of a document in the table `control`. It is immutable: its name has the digest of its bytes.
import { hash } from 'node:crypto';
import { type DocumentName, MAX_DOCUMENT_BYTES, nameDocument } from '../../shared/domain/effects/documents.ts';
import { TABLES } from '../../shared/domain/keys.ts';
import type { BigtableConnection } from './connection.ts';
import { newestControlCell, readRows, rowsOf } from './read-rows.ts';

const DIGEST_CHARS = 16;

/** The version of a document: the moment of its writing, so that versions sort, and the digest of its bytes. */
export const makeDocumentVersion = (json: string, nowMs: number): string =>
  `${nowMs.toString(36)}-${hash('sha256', json, 'hex').slice(0, DIGEST_CHARS)}`;

/** Whether these are the bytes that the name was made for. */
export const hasDigestOfName = ({ version }: DocumentName, bytes: Uint8Array): boolean =>
  version.endsWith(`-${hash('sha256', bytes, 'hex').slice(0, DIGEST_CHARS)}`);

/** The JSON of the document. Throws an EarshotError, or an Error for a row that is missing, too large or changed. */
export async function readDocument(
  bigtable: BigtableConnection,
  appProfile: string,
  name: DocumentName,
  timeoutMs: number,
): Promise<string> {
  const rows = rowsOf([nameDocument(name)]);
  const [row] = await readRows(bigtable, {
    table: TABLES.control,
    appProfile,
    rows,
    filter: newestControlCell,
    timeoutMs,
  });
  const value = row?.cells[0]?.value;
  if (value === undefined) throw new Error(`expected the row ${nameDocument(name)}, got none`);
  if (value.length > MAX_DOCUMENT_BYTES)
    throw new Error(`expected ${nameDocument(name)} to have at most ${MAX_DOCUMENT_BYTES} bytes, got ${value.length}`);
  if (!hasDigestOfName(name, value)) throw new Error(`expected ${nameDocument(name)} to have the digest of its name`);
  return value.toString('utf8');
}
