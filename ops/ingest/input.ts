// The bytes of a file or of standard input, unzipped. The content decides whether it is gzip, never the name. A format
// that cannot be read is refused by its first bytes.
import { createReadStream } from 'node:fs';
import { gunzip } from './gunzip.ts';

/** The argument that stands for standard input. */
export const STANDARD_INPUT = '-';

const CHUNK_BYTES = 256 * 1024;
/** Longer than every signature below. */
const SIGNATURE_BYTES = 8;

export const nameInput = (path: string): string => (path === STANDARD_INPUT ? 'standard input' : path);

/**
 * Calls `onBytes` with the number of bytes read, before they are unzipped. Throws an Error with the name and the offset
 * for bytes that are neither text nor whole gzip.
 */
export async function* openInput(path: string, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  try {
    yield* openBytes(path, onBytes);
  } finally {
    // An open pipe would keep the process running after an error.
    if (path === STANDARD_INPUT) process.stdin.destroy();
  }
}

async function* openBytes(path: string, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  const name = nameInput(path);
  const chunks = readChunks(path, onBytes);
  const first = await readFirst(chunks);
  if (first === undefined) return;
  const all = prepend(first, chunks);
  if (isGzip(first)) {
    yield* gunzip(name, all);
    return;
  }
  const format = formatOf(first);
  if (format !== undefined) throw new Error(`${name}: expected lines of JSON, plain or gzipped, got ${format}`);
  yield* all;
}

async function* readChunks(path: string, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  const stream = path === STANDARD_INPUT ? process.stdin : createReadStream(path, { highWaterMark: CHUNK_BYTES });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    onBytes(chunk.length);
    yield chunk;
  }
}

/** At least SIGNATURE_BYTES, or all. A pipe may bring one byte at a time. */
async function readFirst(chunks: AsyncGenerator<Buffer>): Promise<Buffer | undefined> {
  let first: Buffer | undefined;
  while (first === undefined || first.length < SIGNATURE_BYTES) {
    const next = await chunks.next();
    if (next.done) return first;
    first = first === undefined ? next.value : Buffer.concat([first, next.value]);
  }
  return first;
}

async function* prepend(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

export const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

const SIGNATURES: readonly (readonly [format: string, hex: string])[] = [
  ['zstd', '28b52ffd'],
  ['bzip2', '425a68'],
  ['xz', 'fd377a585a00'],
  ['LZ4', '04224d18'],
  ['a ZIP archive', '504b0304'],
  ['Parquet', '50415231'],
  ['Avro', '4f626a01'],
  ['UTF-16 text', 'fffe'],
  ['UTF-16 text', 'feff'],
];

/** The name of a format that is not text; undefined for text. JSON has no control character but white space. */
function formatOf(bytes: Buffer): string | undefined {
  const hex = bytes.toString('hex', 0, SIGNATURE_BYTES);
  const known = SIGNATURES.find(([, signature]) => hex.startsWith(signature));
  if (known !== undefined) return known[0];
  return bytes.subarray(0, SIGNATURE_BYTES).includes(0)
    ? `an unknown binary format (it begins with ${hex})`
    : undefined;
}
