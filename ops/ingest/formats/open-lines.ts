// The lines of an input, whatever its format. The content decides, never the name. A format that cannot be read is
// refused by its first bytes.
import type { Source } from '../inputs/source.ts';
import { AVRO_MAGIC, readAvro } from './avro.ts';
import { readJsonLines } from './json-lines.ts';
import type { Line, RecordForm } from './line.ts';
import { PARQUET_MAGIC, readParquet } from './parquet.ts';
import { packingOf, unpack } from './unpack.ts';

/** Longer than every signature below. */
const SIGNATURE_BYTES = 8;

/**
 * Yields the lines in groups: none for an empty file, and an empty one for a whole Avro or Parquet file without
 * records. Without a form only lines of JSON are read. Calls `onBytes` with the number of bytes
 * read, before they are unpacked. Throws an Error with the name and the offset for an input that is cut or broken.
 */
export async function* readLines(
  source: Source,
  form: RecordForm | undefined,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Line[]> {
  try {
    yield* openLines(source, form, onBytes);
  } finally {
    source.close?.();
  }
}

async function* openLines(
  source: Source,
  form: RecordForm | undefined,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Line[]> {
  const chunks = counted(source.open(), onBytes);
  try {
    const { first, all } = await readFirst(chunks);
    const packing = packingOf(first);
    if (packing !== undefined) {
      const inner = await readFirst(unpack(source.name, packing, all));
      yield* readUnpacked(`${source.name} (${packing.name})`, inner, form);
    } else if (form !== undefined && source.readRange !== undefined && startsWith(first, PARQUET_MAGIC)) {
      await chunks.return(undefined);
      yield* readParquet({ ...source, readRange: source.readRange }, form, onBytes);
    } else {
      yield* readUnpacked(source.name, { first, all }, form);
    }
  } finally {
    // A format that is refused, or a reader of the first lines only, leaves chunks unread. Not awaited: a pipe without
    // a writer would hold the error back.
    chunks.return(undefined).catch(() => undefined);
  }
}

interface Opened {
  readonly first: Buffer;
  /** `first` included. */
  readonly all: AsyncGenerator<Buffer>;
}

async function* readUnpacked(
  name: string,
  { first, all }: Opened,
  form: RecordForm | undefined,
): AsyncGenerator<Line[]> {
  if (form !== undefined && startsWith(first, AVRO_MAGIC)) yield* readAvro(name, all, form);
  else {
    const format = formatOf(first);
    if (format !== undefined)
      throw new Error(`${name}: expected ${form === undefined ? '' : 'Avro, Parquet or '}lines of JSON, got ${format}`);
    yield* readJsonLines(all);
  }
}

async function* counted(chunks: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    yield chunk;
  }
}

/** At least SIGNATURE_BYTES, or all. A pipe may bring one byte at a time. */
async function readFirst(chunks: AsyncGenerator<Buffer>): Promise<Opened> {
  let first: Buffer = Buffer.alloc(0);
  while (first.length < SIGNATURE_BYTES) {
    const next = await chunks.next();
    if (next.done) break;
    first = first.length === 0 ? next.value : Buffer.concat([first, next.value]);
  }
  return { first, all: prepend(first, chunks) };
}

async function* prepend(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  yield* rest;
}

const startsWith = (bytes: Buffer, hex: string): boolean => bytes.toString('hex', 0, hex.length / 2) === hex;

const SIGNATURES: readonly (readonly [format: string, hex: string])[] = [
  ['gzip inside', '1f8b'],
  ['zstd inside', '28b52ffd'],
  ['bzip2', '425a68'],
  ['xz', 'fd377a585a00'],
  ['LZ4', '04224d18'],
  ['a ZIP archive', '504b0304'],
  ['Parquet that is packed, or from a pipe: its index is at its end, so it must be a file', PARQUET_MAGIC],
  ['an encrypted Parquet file', '50415245'],
  ['Avro', AVRO_MAGIC],
  ['ORC', '4f5243'],
  ['UTF-16 text', 'fffe'],
  ['UTF-16 text', 'feff'],
];

/** The name of a format that is not text; undefined for text. JSON has no control character but white space. */
function formatOf(bytes: Buffer): string | undefined {
  const known = SIGNATURES.find(([, signature]) => startsWith(bytes, signature));
  if (known !== undefined) return known[0];
  const hex = bytes.toString('hex', 0, SIGNATURE_BYTES);
  return bytes.subarray(0, SIGNATURE_BYTES).includes(0)
    ? `an unknown binary format (it begins with ${hex})`
    : undefined;
}
