// Avro object container files (Avro 1.11 specification, "Object Container Files"). The blocks are read here, because
// the stream of avsc takes a file that was cut for a whole one; avsc decodes the records.
import { promisify } from 'node:util';
import { crc32, inflateRaw, zstdDecompress } from 'node:zlib';
import avsc, { type Type } from 'avsc';
import { makeAvroRecords } from './avro-records.ts';
import { type ByteReader, createByteReader } from './byte-reader.ts';
import type { Line, RecordForm } from './line.ts';
import { unpackSnappy } from './snappy.ts';

/** `Obj` and the version 1. */
export const AVRO_MAGIC = '4f626a01';

const SYNC_BYTES = 16;
/** Bytes of a block, packed and unpacked. Writers make blocks of 16 KB to some MB. */
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;
const MAX_HEADER_BYTES = 1024 * 1024;
const CHECKSUM_BYTES = 4;

type Unpack = (bytes: Buffer) => Promise<Buffer>;

const CODECS: Readonly<Record<string, Unpack>> = {
  null: async (bytes) => bytes,
  deflate: (bytes) => promisify(inflateRaw)(bytes, { maxOutputLength: MAX_BLOCK_BYTES }),
  zstandard: (bytes) => promisify(zstdDecompress)(bytes, { maxOutputLength: MAX_BLOCK_BYTES }),
  snappy: async (bytes) => unpackChecked(bytes),
};

/** A CRC-32 of the unpacked bytes stands behind a block of Snappy. */
function unpackChecked(bytes: Buffer): Buffer {
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < 0) throw new Error('no checksum');
  const block = unpackSnappy(bytes.subarray(0, end), MAX_BLOCK_BYTES);
  if (crc32(block) !== bytes.readUInt32BE(end)) throw new Error('another checksum');
  return block;
}

/**
 * Yields the records of each block, and an empty group for a whole file without records. Throws an Error with `name`
 * and the offset for a file that is cut or broken.
 */
export async function* readAvro(name: string, chunks: AsyncIterable<Buffer>, form: RecordForm): AsyncGenerator<Line[]> {
  const reader = createByteReader(name, chunks);
  const { type, unpack, sync } = await readHeader(name, reader);
  const toLine = makeAvroRecords(name, type, form);
  let number = 0;
  while (!(await reader.isAtEnd())) {
    const offset = reader.offset();
    const fault = (what: string): Error =>
      new Error(`${name}: expected whole Avro blocks, got ${what} at byte ${offset}`);
    const count = await readLong(reader);
    const length = await readLong(reader);
    if (count < 0 || length < 0 || length > MAX_BLOCK_BYTES)
      throw fault(`a block of ${length} bytes with ${count} records (at most ${MAX_BLOCK_BYTES} bytes)`);
    const packed = await reader.take(length);
    if (!(await reader.take(SYNC_BYTES)).equals(sync)) throw fault('a block without its sync marker');
    let block: Buffer;
    try {
      block = await unpack(packed);
    } catch (error) {
      throw fault(`a block that cannot be unpacked (${(error as Error).message})`);
    }
    // Each record has a byte or more: a file must not make millions of none.
    if (count > block.length) throw fault(`a block of ${block.length} bytes with ${count} records`);
    const lines: Line[] = [];
    let at = 0;
    for (let i = 0; i < count; i++) {
      const { value, offset: next } = decode(type, block, at);
      // avsc answers a negative offset for a record that goes beyond the block.
      if (next < 0) throw fault(`a block that ends within record ${i + 1} of ${count}`);
      at = next;
      lines.push({ number: ++number, ...toLine(value) });
    }
    if (at !== block.length) throw fault(`a block with ${block.length - at} bytes after its ${count} records`);
    if (lines.length > 0) yield lines;
  }
  if (number === 0) yield [];
}

function decode(type: Type, block: Buffer, at: number): { readonly value: unknown; readonly offset: number } {
  try {
    return type.decode(block, at);
  } catch {
    return { value: undefined, offset: -1 };
  }
}

interface Header {
  readonly type: Type;
  readonly unpack: Unpack;
  readonly sync: Buffer;
}

async function readHeader(name: string, reader: ByteReader): Promise<Header> {
  await reader.take(AVRO_MAGIC.length / 2);
  const meta = await readMetadata(name, reader);
  const codec = meta.get('avro.codec')?.toString() ?? 'null';
  const unpack = Object.hasOwn(CODECS, codec) ? CODECS[codec] : undefined;
  if (unpack === undefined)
    throw new Error(`${name}: expected the Avro codec ${Object.keys(CODECS).join(', ')}, got ${codec}`);
  return {
    type: parseType(name, meta.get('avro.schema')?.toString() ?? ''),
    unpack,
    sync: await reader.take(SYNC_BYTES),
  };
}

async function readMetadata(name: string, reader: ByteReader): Promise<Map<string, Buffer>> {
  const meta = new Map<string, Buffer>();
  for (let count = await readLong(reader); count !== 0; count = await readLong(reader)) {
    // A negative count stands before the size of the map's block in bytes.
    if (count < 0) await readLong(reader);
    for (let i = 0; i < Math.abs(count); i++) {
      const key = (await readBytes(name, reader)).toString();
      meta.set(key, await readBytes(name, reader));
    }
  }
  return meta;
}

async function readBytes(name: string, reader: ByteReader): Promise<Buffer> {
  const length = await readLong(reader);
  if (length < 0 || length > MAX_HEADER_BYTES)
    throw new Error(`${name}: expected an Avro header of at most ${MAX_HEADER_BYTES} bytes, got ${length}`);
  return reader.take(length);
}

/** A zigzag varint. Lengths and counts are safe integers. */
async function readLong(reader: ByteReader): Promise<number> {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 9; i++) {
    const [byte = 0] = await reader.take(1);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    scale *= 128;
  }
  return Number.MAX_SAFE_INTEGER;
}

/** Long values beyond 53 bits keep their digits. */
const bigLong = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => toSafe(bytes.readBigInt64LE()),
  toBuffer: () => {
    throw new Error('it is only read');
  },
  fromJSON: Number,
  toJSON: Number,
  isValid: () => true,
  compare: () => 0,
});

const toSafe = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

function parseType(name: string, schema: string): Type {
  try {
    // Unions of null and one type, as BigQuery and Beam write them, are read as the value itself.
    return avsc.Type.forSchema(JSON.parse(schema), { registry: { long: bigLong }, wrapUnions: 'never' as never });
  } catch (error) {
    throw new Error(`${name}: expected an Avro schema, got ${(error as Error).message}`, { cause: error });
  }
}
