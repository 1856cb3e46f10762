// Files of lists in every format that a load reads, and the lines that a load reads from them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, crc32, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import avsc from 'avsc';
import type { CompressionCodec } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { snappyCompress } from 'hysnappy';
import { LISTS } from '../../../../../ops/files/parquet-file.ts';
import { BIGTABLE_ROW_SCHEMA, LIST_SCHEMA } from '../../../../../ops/files/schemas.ts';
import type { Line, RecordForm } from '../../../../../ops/ingest/formats/line.ts';
import { readLines } from '../../../../../ops/ingest/formats/open-lines.ts';
import { findInputs } from '../../../../../ops/ingest/inputs/find-inputs.ts';
import { toUserId } from '../../../../../shared/domain/ids.ts';
import { makeRowKey } from '../../../../../shared/domain/keys.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../../../../shared/domain/list.ts';

export interface List {
  readonly user: string;
  readonly items: readonly { readonly id: string; readonly score: number }[];
}

export const MICROS = 1_795_402_800_000_000;
export const FORM: RecordForm = { kind: 'lists', family: 'l', qualifier: 'home/control', timestampMicros: MICROS };
export const ITEMS_FORM: RecordForm = { kind: 'items', family: 'm', qualifier: 'json', timestampMicros: MICROS };

export const makeLists = (count: number): List[] =>
  Array.from({ length: count }, (_, i) => ({
    user: `u:${i}`,
    items: Array.from({ length: 1 + (i % 7) }, (_, j) => ({ id: `item:${i}-${j}`, score: 1 - j / 8 - i / 1e6 })),
  }));

export const textOf = (list: List): string => JSON.stringify(list);

const SYNC = Buffer.alloc(16, 7);
const LONG = avsc.Type.forSchema('long');
const META = avsc.Type.forSchema({ type: 'map', values: 'bytes' });

const PACK: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  null: (bytes) => bytes,
  deflate: (bytes) => deflateRawSync(bytes),
  zstandard: (bytes) => zstdCompressSync(bytes),
  snappy: (bytes) => {
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(bytes));
    return Buffer.concat([snappyCompress(bytes), checksum]);
  },
  bzip2: (bytes) => bytes,
};

/** An object container file with `perBlock` records in a block. */
export function avroOf(
  records: readonly object[],
  schema: object = LIST_SCHEMA,
  codec = 'null',
  perBlock = 100,
): Buffer {
  const type = avsc.Type.forSchema(schema as avsc.Schema);
  const meta = { 'avro.schema': Buffer.from(JSON.stringify(schema)), 'avro.codec': Buffer.from(codec) };
  const parts = [Buffer.from('Obj\u0001', 'latin1'), META.toBuffer(meta), SYNC];
  for (let at = 0; at < records.length; at += perBlock) {
    const block = records.slice(at, at + perBlock);
    const packed = PACK[codec]?.(Buffer.concat(block.map((record) => type.toBuffer(record)))) ?? Buffer.alloc(0);
    parts.push(LONG.toBuffer(block.length), LONG.toBuffer(packed.length), packed, SYNC);
  }
  return Buffer.concat(parts);
}

/** The rows of Google's templates. `change` makes another row of each. */
export const rowsOf = (lists: readonly List[], change: (row: object) => object = (row) => row): Buffer =>
  avroOf(
    lists.map((list) => change(rowOf(list))),
    BIGTABLE_ROW_SCHEMA,
    'deflate',
  );

const rowOf = ({ user, items }: List): object => ({
  key: Buffer.from(makeRowKey(toUserId(user))),
  cells: [
    {
      ...{ family: 'l', qualifier: Buffer.from('home/control'), timestamp: MICROS },
      value: Buffer.from(items.map(({ id, score }) => encodeItem(id, String(score))).join(ITEM_SEPARATOR)),
    },
  ],
});

const PARQUET_PACK = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes),
  BROTLI: (bytes: Uint8Array) => brotliCompressSync(bytes),
};

export function parquetOf(lists: readonly List[], codec: CompressionCodec = 'SNAPPY', rowGroupSize = 1000): Buffer {
  const writer = new ByteWriter();
  const file = new ParquetWriter({ writer, schema: LISTS, codec, compressors: PARQUET_PACK });
  const columnData = [
    { name: 'user', data: lists.map(({ user }) => user) },
    { name: 'items', data: lists.map(({ items }) => items) },
  ];
  // Both have ended before they return: the writer is in memory, and packs at once.
  void file.write({ columnData, rowGroupSize });
  void file.finish();
  return Buffer.from(writer.getBuffer());
}

export const jsonOf = (lists: readonly List[]): Buffer =>
  Buffer.from(lists.map((list) => `${textOf(list)}\n`).join(''));

/** The lines of a file with this content. Rejects as the load would. */
export async function linesOf(directory: string, name: string, content: Buffer, form = FORM): Promise<Line[]> {
  writeFileSync(join(directory, name), content);
  const lines: Line[] = [];
  for (const source of await findInputs([join(directory, name)]))
    for await (const group of readLines(source, form, () => undefined)) lines.push(...group);
  return lines;
}
