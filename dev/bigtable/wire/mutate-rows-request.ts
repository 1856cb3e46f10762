// A MutateRows request with lazily decoded entries. To decode a thousand entries at once would block every call for
// some ten milliseconds.
import type { MutateRowsRequest } from './messages.ts';
import { fieldsOf, messageOf } from './request-fields.ts';

export interface BulkRequest extends Pick<MutateRowsRequest, 'tableName' | 'appProfileId'> {
  readonly entryCount: number;
  /** Throws an Error for a malformed entry. */
  decodeEntries(from: number, to: number): MutateRowsRequest['entries'];
}

/** Field number of `MutateRowsRequest.entries` in google/bigtable/v2/bigtable.proto. */
const ENTRIES = 2;

/** Throws an Error for a malformed message. */
export function parseBulkRequest(bytes: Buffer, decode: (bytes: Buffer) => MutateRowsRequest): BulkRequest {
  const fields = fieldsOf(bytes);
  const entries = fields.filter(({ number }) => number === ENTRIES);
  const rest = fields.filter(({ number }) => number !== ENTRIES);
  const { tableName, appProfileId } = decode(messageOf(bytes, rest));
  return {
    tableName,
    appProfileId,
    entryCount: entries.length,
    decodeEntries: (from, to) => decode(messageOf(bytes, entries.slice(from, to))).entries,
  };
}
