// Exported files against the schema of Google's template, as avsc resolves it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import avsc from 'avsc';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRowFiles } from '../../../../ops/export-dataflow/row-files.ts';
import { openTarget } from '../../../../ops/export-dataflow/target.ts';
import { type FakeStorage, startFakeStorage } from '../../../support/cloud-storage/fake-storage.ts';

/** DataflowTemplates, `v1/src/main/resources/schema/avro/bigtable.avsc`, with the names and types that it has. */
const TEMPLATE_SCHEMA: avsc.Schema = {
  name: 'BigtableRow',
  type: 'record',
  namespace: 'com.google.cloud.teleport.bigtable',
  fields: [
    { name: 'key', type: 'bytes' },
    {
      name: 'cells',
      type: {
        type: 'array',
        items: {
          name: 'BigtableCell',
          type: 'record',
          fields: [
            { name: 'family', type: 'string' },
            { name: 'qualifier', type: 'bytes' },
            { name: 'timestamp', type: 'long' },
            { name: 'value', type: 'bytes' },
          ],
        },
      },
    },
  ],
};

interface Row {
  readonly key: Buffer;
  readonly cells: { family: string; qualifier: Buffer; timestamp: number; value: Buffer }[];
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-rows-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const column = { family: 'l', qualifier: 'home/control', timestampMicros: 1_795_921_200_000_000 };
const rowKeyOf = (i: number): string => `00${10 + i}#u:${i}`;
const listOf = (i: number): string => `{"id":"artist:${i}","score":1.0},\n{"id":"artist:1","score":0.5}`;

async function write(rows: number, maxRows: number, out = directory): Promise<number> {
  const files = createRowFiles(await openTarget(out), column, maxRows);
  try {
    for (let i = 0; i < rows; i++) await files.add(rowKeyOf(i), listOf(i));
    return await files.end();
  } catch (error) {
    await files.abandon();
    throw error;
  }
}

/** The writer's schema, and the rows as the template's own type reads them. */
async function readAsTemplate(path: string): Promise<{ schema: avsc.Type; rows: Row[] }> {
  const template = avsc.Type.forSchema(TEMPLATE_SCHEMA);
  const decoder = avsc.createFileDecoder(path, { readerSchema: TEMPLATE_SCHEMA } as never);
  let schema: avsc.Type = template;
  decoder.on('metadata', (type: avsc.Type) => {
    schema = type;
    template.createResolver(type);
  });
  const rows: Row[] = [];
  for await (const row of decoder) rows.push(row as Row);
  return { schema, rows };
}

test('a file has the schema of the template, field by field, and its reader reads the rows', async () => {
  expect(await write(3, 10)).toBe(1);
  const { schema, rows } = await readAsTemplate(join(directory, 'part-00000.avro'));
  expect(schema.fingerprint()).toEqual(avsc.Type.forSchema(TEMPLATE_SCHEMA).fingerprint());
  const { family, timestampMicros: timestamp } = column;
  expect(rows.map(({ key, cells }) => ({ key: key.toString(), cells }))).toEqual(
    [0, 1, 2].map((i) => ({
      key: rowKeyOf(i),
      cells: [
        expect.objectContaining({
          ...{ family, timestamp, qualifier: Buffer.from('home/control'), value: Buffer.from(listOf(i)) },
        }),
      ],
    })),
  );
});

test.each([
  [7, 3, [3, 3, 1]],
  [6, 3, [3, 3]],
  [1, 1, [1]],
])('%i rows with at most %i a file are files of %j rows', async (rows, maxRows, counts) => {
  expect(await write(rows, maxRows)).toBe(counts.length);
  const names = readdirSync(directory).sort();
  expect(names).toEqual(counts.map((_, i) => `part-0000${i}.avro`));
  const read = await Promise.all(names.map((name) => readAsTemplate(join(directory, name))));
  expect(read.map((file) => file.rows.length)).toEqual(counts);
});

describe('nothing stays', () => {
  test('if a file cannot be made, neither of whole files', async () => {
    const inTheWay = `part-00002.avro.${process.pid}.part`;
    writeFileSync(join(directory, inTheWay), 'of another');
    await expect(write(7, 3)).rejects.toThrow(/expected .*part-00002\.avro to be writable: EEXIST/);
    expect(readdirSync(directory)).toEqual([inTheWay]);
  });

  test('of an export that is abandoned', async () => {
    const files = createRowFiles(await openTarget(directory), column, 2);
    for (let i = 0; i < 5; i++) await files.add(rowKeyOf(i), listOf(i));
    await files.abandon();
    expect(readdirSync(directory)).toEqual([]);
  });
});

test.each<[string, () => string, (storage: FakeStorage) => void]>([
  ['on this machine', () => directory, () => writeFileSync(join(directory, 'part-00000.avro'), 'of another')],
  [
    'in Cloud Storage',
    () => 'gs://lists/rows',
    ({ objects }) => void objects.set('lists/rows/part-00000.avro', Buffer.from('of another')),
  ],
])('of two exports at once to one place %s the later one fails, and leaves the other', async (_what, out, appear) => {
  const storage = await startFakeStorage();
  const files = createRowFiles(await openTarget(out()), column, 3);
  await files.add(rowKeyOf(7), listOf(7));
  appear(storage);
  await expect(files.end()).rejects.toThrow(/expected .*part-00000\.avro to be writable/);
  expect(await files.abandon()).toEqual([]);
  const left = [...storage.objects.keys(), ...readdirSync(directory)];
  expect(left.map((name) => basename(name))).toEqual(['part-00000.avro']);
});

describe('a place', () => {
  test('with a file of an earlier export is refused: a job would read it, too', async () => {
    writeFileSync(join(directory, 'part-00000.avro'), '');
    await expect(openTarget(directory)).rejects.toThrow(/expected --out without files of an earlier export, got/);
  });

  test('behind a file is refused', async () => {
    writeFileSync(join(directory, 'a'), '');
    await expect(openTarget(join(directory, 'a', 'b'))).rejects.toThrow(
      /expected --out to be a directory, got .*ENOTDIR/,
    );
  });

  test.each(['gs://', 'gs://b/a,b', 'gs://b/a*', 'gs://b/a b', 'gs://b//a', "gs://b/a'b"])(
    '%s is refused: a job cannot name it',
    async (out) => {
      await expect(openTarget(out)).rejects.toThrow(/expected --out as gs:\/\/BUCKET\/PREFIX/);
    },
  );
});

describe('in Cloud Storage', () => {
  test('the objects have the bytes of local files', async () => {
    const { objects } = await startFakeStorage();
    await write(5, 2);
    await write(5, 2, 'gs://lists/rows/day/');
    const names = [0, 1, 2].map((i) => `part-0000${i}.avro`);
    expect([...objects.keys()]).toEqual(names.map((name) => `lists/rows/day/${name}`));
    for (const name of names)
      expect(objects.get(`lists/rows/day/${name}`)).toEqual(readFileSync(join(directory, name)));
    await expect(openTarget('gs://lists/rows/day')).rejects.toThrow(
      /got gs:\/\/lists\/rows\/day with rows\/day\/part-00000/,
    );
    expect((await openTarget('gs://lists/rows')).pattern).toBe('gs://lists/rows/part-*.avro');
    expect((await openTarget('gs://lists')).pathOf(12)).toBe('gs://lists/part-00012.avro');
  });

  test('no object stays if one cannot be written', async () => {
    const storage = await startFakeStorage();
    storage.objects.set('lists/other', Buffer.alloc(1));
    storage.refuse = 'part-00001';
    await expect(write(5, 2, 'gs://lists/rows')).rejects.toThrow(
      /expected gs:\/\/lists\/rows\/part-00001\.avro to be writable/,
    );
    expect([...storage.objects.keys()]).toEqual(['lists/other']);
  });

  test('objects that cannot be deleted are named', async () => {
    const storage = await startFakeStorage();
    const files = createRowFiles(await openTarget('gs://lists/rows'), column, 2);
    for (let i = 0; i < 5; i++) await files.add(rowKeyOf(i), listOf(i));
    storage.refuse = 'part-00000';
    expect(await files.abandon()).toEqual(['gs://lists/rows/part-00000.avro']);
    expect([...storage.objects.keys()]).toEqual(['lists/rows/part-00000.avro']);
  });

  test('no object stays of an export that is abandoned within a file', async () => {
    const { objects } = await startFakeStorage();
    const files = createRowFiles(await openTarget('gs://lists/rows'), column, 2);
    for (let i = 0; i < 5; i++) await files.add(rowKeyOf(i), listOf(i));
    await files.abandon();
    expect([...objects.keys()]).toEqual([]);
  });
});
