// Rows as ReadRows sends them: chunks that leave out what the chunk before already said, large values in pieces.
import type { CellChunk } from '../wire/messages.ts';
import { type ReadCell, toBytes } from './row.ts';

/** A value above this is cut into pieces, as Bigtable does, so that readers' merging of them is exercised. */
const MAX_PIECE_BYTES = 1024 * 1024;

/**
 * Appends the row's chunks, the last of which commits it. Returns about how many bytes they are. `cells` must not be
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
    if (cell.labels !== undefined) chunk.labels = cell.labels;
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
  while (value.length - from > MAX_PIECE_BYTES) {
    // The size of the whole value, on all pieces but the last, says that more is to come.
    chunk.valueSize = value.length;
    chunk.value = value.subarray(from, from + MAX_PIECE_BYTES);
    chunks.push(chunk);
    from += MAX_PIECE_BYTES;
    chunk = {};
  }
  chunk.value = from === 0 ? value : value.subarray(from);
  chunks.push(chunk);
}
