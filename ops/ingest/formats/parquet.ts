// Parquet files, one row group at a time. The index is at the end of a file, so it is read by ranges.
import { getHeapStatistics } from 'node:v8';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type AsyncBuffer, type Compressors, type FileMetaData, parquetMetadataAsync } from 'hyparquet';
import type { Source } from '../inputs/source.ts';
import { type Line, type RecordForm, requireFields, toJson } from './line.ts';
import { readRows } from './parquet-rows.ts';
import { unpackSnappy } from './snappy.ts';

/** `PAR1`. An encrypted footer begins with `PARE`. */
export const PARQUET_MAGIC = '50415231';

/** Bytes of a row group, unpacked. Its pages are in memory at once, and need several times as much there. */
const MAX_GROUP_BYTES = 256 * 1024 * 1024;
/** Values pack well: a file of 400 kB may have millions of them. Each needs about so much of the heap. */
const HEAP_PER_VALUE = 100;
const MAX_GROUP_VALUES = Math.floor(getHeapStatistics().heap_size_limit / HEAP_PER_VALUE);
const ROWS_PER_YIELD = 1_000;

const compressors: Compressors = {
  SNAPPY: (bytes, length) => unpackSnappy(bytes, length),
  GZIP: (bytes, length) => gunzipSync(bytes, { maxOutputLength: length }),
  ZSTD: (bytes, length) => zstdDecompressSync(bytes, { maxOutputLength: length }),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, { maxOutputLength: length }),
};

type RangeSource = Source & { readonly readRange: NonNullable<Source['readRange']> };

/**
 * Yields the records of each row group, and an empty group for a file without any. Throws an Error with the name for a
 * file that is cut, broken or encrypted.
 */
export async function* readParquet(
  source: RangeSource,
  form: RecordForm,
  onBytes: (bytes: number) => void,
  maxGroupValues = MAX_GROUP_VALUES,
): AsyncGenerator<Line[]> {
  const { name } = source;
  const file = openRanges(source, onBytes);
  const fault = (what: string, cause?: unknown): Error =>
    new Error(`${name}: expected a whole Parquet file, got ${what}`, { cause });
  const metadata = await readMetadata(file).catch((error: Error) => {
    throw fault(error.message, error);
  });
  requireFields(name, form, topLevelFields(metadata));
  let rowStart = 0;
  for (const [i, group] of metadata.row_groups.entries()) {
    const reason = whyNotGroup(group, maxGroupValues);
    if (reason !== undefined) throw new Error(`${name}: ${reason} in group ${i + 1}: write fewer rows in a group`);
    try {
      for await (const rows of readRows(file, metadata, group, { compressors, rowsAtOnce: ROWS_PER_YIELD })) {
        const before = rowStart;
        yield rows.map((row, at) => ({ number: before + at + 1, text: toJson(row) }));
        rowStart += rows.length;
      }
    } catch (error) {
      throw fault(`${(error as Error).message} in row group ${i + 1}`, error);
    }
  }
  if (rowStart === 0) yield [];
}

/** The reason why a row group would need too much memory; undefined if it would not. */
function whyNotGroup(
  { total_byte_size: size, columns }: FileMetaData['row_groups'][number],
  maxValues: number,
): string | undefined {
  if (size > MAX_GROUP_BYTES) return `expected row groups of at most ${MAX_GROUP_BYTES} bytes, got ${size}`;
  const values = columns.reduce((sum, { meta_data: about }) => sum + Number(about?.num_values ?? 0), 0);
  return values > maxValues ? `expected row groups of at most ${maxValues} values, got ${values}` : undefined;
}

function openRanges({ size, readRange }: RangeSource, onBytes: (bytes: number) => void): AsyncBuffer {
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      const bytes = await readRange(start, end);
      onBytes(bytes.length);
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    },
  };
}

async function readMetadata(file: AsyncBuffer): Promise<FileMetaData> {
  const magic = Buffer.from(await file.slice(Math.max(0, file.byteLength - 4), file.byteLength)).toString('latin1');
  if (magic === 'PARE') throw new Error('an encrypted one');
  if (magic !== 'PAR1') throw new Error('no index at its end');
  return parquetMetadataAsync(file);
}

/** The children of the root, in the flat list of a schema's tree. */
function topLevelFields({ schema }: FileMetaData): string[] {
  const [root] = schema;
  const fields: string[] = [];
  let at = 1;
  for (let i = 0; i < (root?.num_children ?? 0); i++) {
    fields.push(schema[at]?.name ?? '');
    at = skip(schema, at);
  }
  return fields;
}

function skip(schema: FileMetaData['schema'], at: number): number {
  let next = at + 1;
  for (let i = 0; i < (schema[at]?.num_children ?? 0); i++) next = skip(schema, next);
  return next;
}
