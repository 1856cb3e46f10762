// Rows of Parquet by windows, beside hyparquet's own reader of whole groups: the same for files of two writers.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { type FileMetaData, parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet';
import { getTreePath } from 'hyparquet/src/schema.js';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import { LISTS } from '../../../../../ops/files/parquet-file.ts';
import { type ColumnDecoder, createTake, readRows } from '../../../../../ops/ingest/formats/parquet-rows.ts';
import type { Page } from '../../../../../ops/ingest/formats/parquet-texts.ts';

async function rowsByWindows(file: ArrayBuffer, metadata: FileMetaData, rowsAtOnce: number): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const group of metadata.row_groups)
    for await (const rows of readRows(file, metadata, group, { compressors: {}, rowsAtOnce })) all.push(...rows);
  return all;
}

const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 });
const item = fc.record({ id, score: fc.double({ noNaN: true }) });
const list = fc.record({ user: id, items: fc.array(item, { maxLength: 5 }) });

test('any lists, pages, groups and windows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(list, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 50 }),
      async (lists, pageSize, rowGroupSize, rowsAtOnce) => {
        const writer = new ByteWriter();
        const columnData = [
          { name: 'user', data: lists.map(({ user }) => user) },
          { name: 'items', data: lists.map(({ items }) => items) },
        ];
        await parquetWrite({ writer, schema: LISTS, columnData, pageSize, rowGroupSize, codec: 'UNCOMPRESSED' });
        const file = writer.getBuffer();
        const metadata = parquetMetadata(file);
        expect(await rowsByWindows(file, metadata, rowsAtOnce)).toEqual(await parquetReadObjects({ file, metadata }));
      },
    ),
  );
});

const QUERIES = {
  'distinct texts': `select 'u' || i as "user", [{'id': 'a' || hash(i), 'score': i / 7.0::double}] as items from range(5000) t(i)`,
  'few texts': `select 'u' || i as "user", list_transform(range(i % 60), x -> {'id': 'a' || (x % 9)::varchar, 'score': x::double}) as items from range(5000) t(i)`,
  'nulls and empty lists': `select case when i % 3 = 0 then null else 'ü' || i end as "user",
    case when i % 5 = 0 then null when i % 7 = 0 then [] else [{'id': 'a', 'score': null}, null, {'id': null, 'score': 1}] end as items
    from range(3000) t(i)`,
  'other columns': `select i::integer as id, ['x', null, 'z' || i] as tags, {'a': {'b': i::bigint}} as deep, i % 2 = 0 as flag, date '2026-11-30' as day from range(2500) t(i)`,
};

test.each(Object.entries(QUERIES))('a file of DuckDB with %s', async (_what, query) => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  const path = join(directory, 'lists.parquet');
  const database = await DuckDBInstance.create();
  const connection = await database.connect();
  try {
    for (const version of ['v1', 'v2']) {
      await connection.run(
        `copy (${query}) to '${path}' (format parquet, codec 'uncompressed', row_group_size 2048, parquet_version ${version})`,
      );
      const bytes = readFileSync(path);
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
      const metadata = parquetMetadata(file);
      const expected = await parquetReadObjects({ file, metadata });
      expect(expected.length).toBeGreaterThan(2_048);
      expect(await rowsByWindows(file, metadata, 700)).toEqual(expected);
    }
  } finally {
    connection.closeSync();
    rmSync(directory, { recursive: true });
  }
});

test('a row that goes on in the next page is one row', () => {
  const schema = [
    { name: 'root', num_children: 1 },
    { name: 'items', repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'INT32', repetition_type: 'OPTIONAL' },
  ] as FileMetaData['schema'];
  const path = ['items', 'list', 'element'];
  const schemaPath = getTreePath(parquetSchema({ schema } as FileMetaData), path);
  const pages: Page[] = [
    { definition: [3, 3, 3], repetition: [0, 1, 0], values: [1, 2, 3] },
    { definition: [3, 2], repetition: [1, 1], values: [4] },
    { definition: [3, 3], repetition: [1, 0], values: [5, 6] },
  ];
  const take = createTake(pages.values(), { schemaPath, pathInSchema: path } as unknown as ColumnDecoder);
  expect(take(1)).toEqual([[[1, 2]]]);
  expect(take(2)).toEqual([[[3, 4, null, 5]], [[6]]]);
  expect(() => take(1)).toThrow('too few rows in the column items.list.element');
});
