// Merges the chunks of a ReadRows stream into rows. It rejects a stream that breaks the protocol
// (ReadRowsResponse.CellChunk in google/bigtable/v2/bigtable.proto).
import { asBuffer } from '../as-buffer.ts';

export interface Cell {
  readonly family: string;
  readonly qualifier: Buffer;
  readonly timestampMicros: number;
  readonly labels: readonly string[];
  readonly value: Buffer;
}

export interface Row {
  readonly key: Buffer;
  readonly cells: readonly Cell[];
}

/** A CellChunk as the generated client decodes it. */
export interface CellChunk {
  readonly rowKey?: Uint8Array | null;
  readonly familyName?: { readonly value?: string | null } | null;
  readonly qualifier?: { readonly value?: Uint8Array | null } | null;
  readonly timestampMicros?: Int64;
  readonly labels?: readonly string[] | null;
  readonly value?: Uint8Array | null;
  readonly valueSize?: number | null;
  readonly resetRow?: boolean | null;
  readonly commitRow?: boolean | null;
}

/** The decoders differ in their int64. Microseconds since the epoch fit a number exactly. */
type Int64 = number | string | { toNumber(): number } | null | undefined;

export interface ChunkMerger {
  /** Adds the next chunk, and returns the row that it completes. Throws if the chunk breaks the protocol. */
  push(chunk: CellChunk): Row | undefined;
  /** Ends the stream. Throws an UnfinishedRow inside a row. */
  end(): void;
}

/** The stream was cut off inside a row. */
export class UnfinishedRow extends Error {
  override readonly name = 'UnfinishedRow';
}

interface OpenCell extends Omit<Cell, 'value'> {
  readonly parts: Buffer[];
}

interface OpenRow {
  readonly key: Buffer;
  readonly cells: Cell[];
  family: string;
  qualifier: Buffer;
  cell: OpenCell | undefined;
}

export function createChunkMerger(): ChunkMerger {
  let lastKey: Buffer | undefined;
  let row: OpenRow | undefined;

  function push(chunk: CellChunk): Row | undefined {
    if (chunk.resetRow) {
      assert(row !== undefined, 'a reset outside a row');
      assert(!carriesData(chunk) && !chunk.commitRow, 'a reset that carries data');
      row = undefined;
      return undefined;
    }
    row ??= startRow(chunk, lastKey);
    if (row.cell === undefined) row.cell = startCell(row, chunk);
    else assert(!namesCell(chunk), 'a new cell inside the value of the previous cell');
    row.cell.parts.push(toBuffer(chunk.value));
    if (chunk.valueSize) {
      assert(!chunk.commitRow, 'a commit inside the value of a cell');
      return undefined;
    }
    const { parts, ...cell } = row.cell;
    row.cells.push({ ...cell, value: parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts) });
    row.cell = undefined;
    if (!chunk.commitRow) return undefined;
    const { key, cells } = row;
    lastKey = key;
    row = undefined;
    return { key, cells };
  }

  return {
    push,
    end: () => {
      if (row !== undefined)
        throw new UnfinishedRow('expected a row to be committed, got the end of the stream inside it');
    },
  };
}

function startRow(chunk: CellChunk, lastKey: Buffer | undefined): OpenRow {
  const key = toBuffer(chunk.rowKey);
  assert(key.length > 0, 'a row without a key');
  assert(lastKey === undefined || Buffer.compare(key, lastKey) > 0, 'a row key that is not after the previous one');
  const family = chunk.familyName?.value;
  assert(typeof family === 'string', 'a row without a family');
  const qualifier = chunk.qualifier?.value;
  assert(qualifier !== undefined && qualifier !== null, 'a row without a qualifier');
  return { key, cells: [], family, qualifier: toBuffer(qualifier), cell: undefined };
}

/** A chunk without family or qualifier has those of the previous cell. */
function startCell(row: OpenRow, chunk: CellChunk): OpenCell {
  const key = toBuffer(chunk.rowKey);
  assert(key.length === 0 || key.equals(row.key), 'another row before the previous one was committed');
  const qualifier = chunk.qualifier?.value;
  if (typeof chunk.familyName?.value === 'string') {
    assert(qualifier !== undefined && qualifier !== null, 'a new family without a qualifier');
    row.family = chunk.familyName.value;
  }
  if (qualifier !== undefined && qualifier !== null) row.qualifier = toBuffer(qualifier);
  return {
    family: row.family,
    qualifier: row.qualifier,
    timestampMicros: toNumber(chunk.timestampMicros),
    labels: chunk.labels ?? [],
    parts: [],
  };
}

const namesCell = (chunk: CellChunk): boolean =>
  toBuffer(chunk.rowKey).length > 0 || Boolean(chunk.familyName) || Boolean(chunk.qualifier);

const carriesData = (chunk: CellChunk): boolean =>
  namesCell(chunk) ||
  toNumber(chunk.timestampMicros) !== 0 ||
  Boolean(chunk.labels?.length) ||
  toBuffer(chunk.value).length > 0;

const toNumber = (value: Int64): number =>
  typeof value === 'object' && value !== null ? value.toNumber() : Number(value ?? 0);

const toBuffer = (bytes: Uint8Array | null | undefined): Buffer => (bytes ? asBuffer(bytes) : Buffer.alloc(0));

function assert(condition: boolean, breach: string): asserts condition {
  if (!condition) throw new Error(`expected a ReadRows stream that keeps to its protocol, got ${breach}`);
}
