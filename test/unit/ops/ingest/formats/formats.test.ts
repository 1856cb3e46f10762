// Every format has the same lines. DuckDB reads the Parquet files of this project, as a judge.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLines } from '../../../../../ops/ingest/formats/open-lines.ts';
import { readParquet } from '../../../../../ops/ingest/formats/parquet.ts';
import { findInputs } from '../../../../../ops/ingest/inputs/find-inputs.ts';
import type { Source } from '../../../../../ops/ingest/inputs/source.ts';
import { avroOf, FORM, ITEMS_FORM, jsonOf, linesOf, makeLists, parquetOf, rowsOf, textOf } from './support.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-formats-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A user without rights, on every Linux. */
const NOBODY = 65_534;
const LISTS = makeLists(2_500);
const EXPECTED = LISTS.map((list, i) => ({ number: i + 1, text: textOf(list) }));
const skippable = Buffer.concat([Buffer.from('502a4d1804000000', 'hex'), Buffer.alloc(4)]);
const halves = [jsonOf(LISTS.slice(0, 1_000)), jsonOf(LISTS.slice(1_000))];

test.each<[string, Buffer]>([
  ['lines', jsonOf(LISTS)],
  ['gzip', gzipSync(jsonOf(LISTS))],
  ['zstd', zstdCompressSync(jsonOf(LISTS))],
  ['zstd of two frames', Buffer.concat(halves.map((half) => zstdCompressSync(half)))],
  ['zstd with a skippable frame', Buffer.concat([skippable, zstdCompressSync(jsonOf(LISTS))])],
  ['Avro', avroOf(LISTS)],
  ['Avro by deflate', avroOf(LISTS, undefined, 'deflate')],
  ['Avro by snappy', avroOf(LISTS, undefined, 'snappy')],
  ['Avro by zstandard', avroOf(LISTS, undefined, 'zstandard')],
  ['Avro in gzip', gzipSync(avroOf(LISTS))],
  ['Avro in zstd', zstdCompressSync(avroOf(LISTS))],
  ['Parquet', parquetOf(LISTS)],
  ['Parquet by gzip', parquetOf(LISTS, 'GZIP')],
  ['Parquet by zstd', parquetOf(LISTS, 'ZSTD')],
  ['Parquet by brotli', parquetOf(LISTS, 'BROTLI')],
  ['Parquet without packing', parquetOf(LISTS, 'UNCOMPRESSED')],
  ['Parquet of one row group', parquetOf(LISTS, 'SNAPPY', 10_000)],
])('%s', async (_format, content) => {
  expect(await linesOf(directory, 'file', content)).toEqual(EXPECTED);
});

test.each<[string, Buffer]>([
  ['Avro', avroOf([])],
  ['Avro in gzip', gzipSync(avroOf([]))],
  ['Parquet', parquetOf([])],
])('a whole file of %s without records is one empty group', async (_format, content) => {
  writeFileSync(join(directory, 'file'), content);
  const [source] = await findInputs([join(directory, 'file')]);
  const groups = [];
  for await (const group of readLines(source as Source, FORM, () => undefined)) groups.push(group);
  expect(groups).toEqual([[]]);
});

test.each<[string, Buffer]>([
  ['the first lines only', jsonOf(LISTS)],
  ['the first lines of Avro', avroOf(LISTS)],
  ['the first lines of gzip', gzipSync(jsonOf(LISTS))],
  ['a format that is refused', Buffer.from('425a6839314159265359', 'hex')],
])('an input is closed after %s', async (_what, bytes) => {
  let isClosed = false;
  async function* open(): AsyncGenerator<Buffer> {
    try {
      for (let at = 0; at < bytes.length; at += 8) yield bytes.subarray(at, at + 8);
    } finally {
      isClosed = true;
    }
  }
  const source: Source = { name: 'a file', shortName: 'a file', size: bytes.length, open };
  const read = async () => {
    for await (const _lines of readLines(source, FORM, () => undefined)) return 'lines';
    return 'none';
  };
  expect(await read().catch(() => 'refused')).toBe(bytes.length === 10 ? 'refused' : 'lines');
  await expect.poll(() => isClosed).toBe(true);
});

test('a row group of Parquet has no more values than the heap has room for', async () => {
  writeFileSync(join(directory, 'file'), parquetOf(LISTS));
  const [source] = await findInputs([join(directory, 'file')]);
  const file = source as Source & { readonly readRange: NonNullable<Source['readRange']> };
  const values = LISTS.slice(0, 1_000).reduce((sum, { items }) => sum + 1 + 2 * items.length, 0);
  const read = async (maxValues: number) => {
    let rows = 0;
    for await (const group of readParquet(file, FORM, () => undefined, maxValues)) rows += group.length;
    return rows;
  };
  expect(await read(values + 10)).toBe(LISTS.length);
  await expect(read(values - 1)).rejects.toThrow(
    `file: expected row groups of at most ${values - 1} values, got ${values} in group 1: write fewer rows in a group`,
  );
});

test('a block of Snappy with another byte, or with more records than bytes, is broken', async () => {
  const content = avroOf(LISTS, undefined, 'snappy');
  // A letter within the last block.
  const at = content.lastIndexOf('item:');
  content.write('I', at);
  await expect(linesOf(directory, 'file', content)).rejects.toThrow(
    /expected whole Avro blocks, got a block that cannot be unpacked \(another checksum\) at byte \d+/,
  );
  const nulls = { type: 'record', name: 'Nulls', fields: ['user', 'items'].map((name) => ({ name, type: 'null' })) };
  const many = Array.from({ length: 100 }, () => ({ user: null, items: null }));
  await expect(linesOf(directory, 'file', avroOf(many, nulls))).rejects.toThrow(/a block of 0 bytes with 100 records/);
});

test('rows of other types than the template has are broken lines', async () => {
  const schema = { type: 'record', name: 'Row', fields: ['key', 'cells'].map((name) => ({ name, type: 'string' })) };
  const content = avroOf([{ key: 'a', cells: 'b' }], schema);
  expect(await linesOf(directory, 'file', content)).toEqual([
    { number: 1, text: '{"key":"a","cells":"b"}', broken: expect.stringContaining('the types of bigtable-row.avsc') },
  ]);
});

test('rows of Bigtable', async () => {
  const lines = await linesOf(directory, 'file', rowsOf(LISTS));
  expect(lines.map(({ number, text }) => ({ number, text }))).toEqual(EXPECTED);
  expect(lines[0]?.rowKey).toMatch(/^[0-9a-f]{4}#u:0$/);
});

test('nullable fields and longs, as BigQuery and Spark write them', async () => {
  const schema = {
    ...{ type: 'record', name: 'Item' },
    fields: [
      { name: 'id', type: ['null', 'string'] },
      { name: 'title', type: ['null', 'string'] },
      { name: 'plays', type: ['null', 'long'] },
      { name: 'tags', type: ['null', { type: 'array', items: ['null', 'string'] }] },
    ],
  };
  const record = { id: 'a:1', title: null, plays: 4_503_599_627_370_497, tags: ['x'] };
  const content = avroOf([record], schema, 'null');
  expect(await linesOf(directory, 'file', content, ITEMS_FORM)).toEqual([
    { number: 1, text: '{"id":"a:1","plays":4503599627370497,"tags":["x"]}' },
  ]);
});

test('DuckDB reads the same lists from Parquet', async () => {
  writeFileSync(join(directory, 'judged.parquet'), parquetOf(LISTS));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const { length } = LISTS;
  const result = await connection.runAndReadAll(`select user, items from '${join(directory, 'judged.parquet')}'`);
  expect(result.getRowObjectsJson()).toEqual(LISTS);
  expect(length).toBe(2_500);
});

describe('inputs', () => {
  async function namesOf(...paths: string[]): Promise<string[]> {
    return (await findInputs(paths.map((path) => join(directory, path)))).map(({ shortName }) => shortName);
  }

  test('are files, directories without markers, and patterns, in order', async () => {
    mkdirSync(join(directory, 'parts/_temporary'), { recursive: true });
    for (const name of ['part-2', 'part-1', '_SUCCESS', '.part-1.crc'])
      writeFileSync(join(directory, 'parts', name), 'x');
    expect(await namesOf('parts')).toEqual(['part-1', 'part-2']);
    expect(await namesOf('parts/part-*', 'parts/_SUCCESS')).toEqual(['part-1', 'part-2', '_SUCCESS']);
    await expect(namesOf('parts', 'parts/part-1')).rejects.toThrow(/expected each input once, got .*part-1 twice/);
    await expect(namesOf('parts/none-*')).rejects.toThrow(/expected files that match .*none-\*, got none/);
    await expect(namesOf('parts/_temporary')).rejects.toThrow(
      /expected .*_temporary to be a directory of files: it has no files/,
    );
    mkdirSync(join(directory, 'parts/deeper'));
    await expect(namesOf('parts')).rejects.toThrow(
      /expected .*parts to be a directory of files: it has the directory deeper: name the files by a pattern, such as/,
    );
  });

  test('without permission are named', async () => {
    const locked = join(directory, 'locked');
    mkdirSync(locked, { mode: 0 });
    // The superuser may read everything.
    const isSuperuser = process.getuid?.() === 0;
    if (isSuperuser) process.seteuid?.(NOBODY);
    try {
      await expect(namesOf('locked')).rejects.toThrow(/expected .*locked to be a .*: EACCES/);
    } finally {
      if (isSuperuser) process.seteuid?.(0);
    }
  });

  test.each([
    ['lines of JSON', jsonOf(LISTS)],
    ['Parquet', parquetOf(LISTS)],
  ])('that grow, or are replaced, while they are read are named: %s', async (_format, content) => {
    const path = join(directory, 'growing');
    for (const change of [
      () => appendFileSync(path, '\n'),
      () => writeFileSync(path, jsonOf(LISTS.slice(1))),
      () => utimesSync(path, 1, 1),
    ]) {
      writeFileSync(path, content);
      const [source] = await findInputs([path]);
      const groups = readLines(source as Source, FORM, () => undefined);
      await groups.next();
      change();
      const rest = async () => {
        for await (const _group of groups);
      };
      await expect(rest()).rejects.toThrow(
        /growing: expected .*the file as it was found, got \d+ bytes of .*T.*: it was/,
      );
    }
  });

  test('of one byte at a time are the same', async () => {
    for (const content of [
      gzipSync(jsonOf(LISTS.slice(0, 20))),
      avroOf(LISTS.slice(0, 20)),
      jsonOf(LISTS.slice(0, 20)),
    ]) {
      const open = () => Readable.from([...content].map((byte) => Buffer.from([byte])));
      const lines = [];
      for await (const group of readLines({ name: 'pipe', shortName: 'pipe', size: 0, open }, FORM, () => undefined))
        lines.push(...group);
      expect(lines).toEqual(EXPECTED.slice(0, 20));
    }
  });
});
