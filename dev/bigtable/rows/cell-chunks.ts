// Encoding of rows as ReadRows chunks. A chunk omits fields that repeat the previous chunk; large values span several
// chunks.
import type { CellChunk } from '../wire/messages.ts';
import { type ReadCell, toBytes } from './row.ts';

/**
 * Maximum bytes of a value in one chunk. Larger values are split, as in Bigtable, so that the merging code of readers
 * is exercised.
 */
const MAX_CHUNK_BYTES = 1024 * 1024;

/**
 * Appends the row's chunks; the last one commits the row. Returns their approximate size in bytes. `cells` must not be
 * empty.
 */
export function appendRow(chunks: CellChunk[], key: string, cells: readonly ReadCell[]): number {
  let bytes = key.length;
  let previous: ReadCell | undefined;
  for (const cell of cells) {
    const chunk: CellChunk = { timestampMicros: cell.timestampMicros };
    const isNewFamily = previous?.family !== cell.family;
    if (previous === undefined) chunk.rowKey = toBytes(key);
    if (isNewFamily) chunk.familyName = { value: cell.family };
    if (isNewFamily || previous?.qualifier !== cell.qualifier) chunk.qualifier = { value: toBytes(cell.qualifier) };
    appendValue(chunks, chunk, cell.value);
    bytes += cell.value.length + cell.qualifier.length + 16;
    previous = cell;
  }
  const last = chunks.at(-1);
  if (last !== undefined) last.commitRow = true;
  return bytes;
}

function appendValue(chunks: CellChunk[], first: CellChunk, value: Buffer): void {
  let chunk = first;
  let from = 0;
  while (value.length - from > MAX_CHUNK_BYTES) {
    // The total size on all pieces but the last announces more pieces.
    chunk.valueSize = value.length;
    chunk.value = value.subarray(from, from + MAX_CHUNK_BYTES);
    chunks.push(chunk);
    from += MAX_CHUNK_BYTES;
    chunk = {};
  }
  chunk.value = from === 0 ? value : value.subarray(from);
  chunks.push(chunk);
}
