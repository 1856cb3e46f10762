// Parquet files, one row group at a time. The index is at the end of a file, so it is read by ranges.
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
} from 'hyparquet';
import type { Source } from '../inputs/source.ts';
import { type Line, type RecordForm, requireFields, toJson } from './line.ts';
import { unpackSnappy } from './snappy.ts';

/** `PAR1`. An encrypted footer begins with `PARE`. */
export const PARQUET_MAGIC = '50415231';

/** Bytes of a row group, unpacked. Its values are in memory at once, and need several times as much there. */
const MAX_GROUP_BYTES = 128 * 1024 * 1024;

const compressors: Compressors = {
  SNAPPY: (bytes, length) => unpackSnappy(bytes, length),
  GZIP: (bytes, length) => gunzipSync(bytes, { maxOutputLength: length }),
  ZSTD: (bytes, length) => zstdDecompressSync(bytes, { maxOutputLength: length }),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, { maxOutputLength: length }),
};

type RangeSource = Source & { readonly readRange: NonNullable<Source['readRange']> };

/** Yields the records of each row group, and an empty group for a file without any. Throws an Error with the name for a file that is cut, broken or encrypted. */
export async function* readParquet(
  source: RangeSource,
  form: RecordForm,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Line[]> {
  const { name } = source;
  const file = openRanges(source, onBytes);
  const fault = (what: string, cause?: unknown): Error =>
    new Error(`${name}: expected a whole Parquet file, got ${what}`, { cause });
  const metadata = await readMetadata(file).catch((error: Error) => {
    throw fault(error.message, error);
  });
  const [root] = metadata.schema;
  requireFields(name, form, topLevelFields(metadata));
  if (root === undefined || metadata.row_groups.length === 0) yield [];
  let rowStart = 0;
  for (const [i, group] of metadata.row_groups.entries()) {
    const rowEnd = rowStart + Number(group.num_rows);
    const bytes = Number(group.total_byte_size);
    if (bytes > MAX_GROUP_BYTES)
      throw new Error(
        `${name}: expected row groups of at most ${MAX_GROUP_BYTES} bytes, got ${bytes} in group ${i + 1}: write the file again with fewer rows in a group`,
      );
    let rows: Record<string, unknown>[];
    try {
      rows = await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors });
    } catch (error) {
      throw fault(`${(error as Error).message} in row group ${i + 1}`, error);
    }
    const before = rowStart;
    if (rows.length !== rowEnd - rowStart)
      throw fault(`${rows.length} of ${rowEnd - rowStart} rows in row group ${i + 1}`);
    yield rows.map((row, at) => ({ number: before + at + 1, text: toJson(row) }));
    rowStart = rowEnd;
  }
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
