// Inputs and outputs in Cloud Storage, by Google's own client against a server that speaks the JSON API over HTTP.
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { createJsonFile } from '../../../ops/files/json-file.ts';
import { createOutput } from '../../../ops/files/output.ts';
import { readLines } from '../../../ops/ingest/formats/open-lines.ts';
import { findInputs } from '../../../ops/ingest/inputs/find-inputs.ts';
import type { Source } from '../../../ops/ingest/inputs/source.ts';
import { type FakeStorage, startFakeStorage } from '../../support/cloud-storage/fake-storage.ts';
import { avroOf, FORM, jsonOf, makeLists, parquetOf, textOf } from '../../unit/ops/ingest/formats/support.ts';

const LISTS = makeLists(700);

let storage: FakeStorage;
let objects: Map<string, Buffer>;
beforeEach(async () => {
  storage = await startFakeStorage();
  ({ objects } = storage);
});

const textsOf = async (...uris: string[]): Promise<string[]> => textsIn(await findInputs(uris));

async function textsIn(sources: readonly Source[]): Promise<string[]> {
  const texts: string[] = [];
  for (const source of sources)
    for await (const group of readLines(source, FORM, () => undefined)) texts.push(...group.map(({ text }) => text));
  return texts;
}

test.each<[string, (lists: typeof LISTS) => Buffer]>([
  ['lines', jsonOf],
  ['gzip', (lists) => gzipSync(jsonOf(lists))],
  ['Avro', (lists) => avroOf(lists)],
  ['Parquet, by ranges', (lists) => parquetOf(lists)],
])('%s: one object, a prefix without markers, and a pattern', async (_format, make) => {
  objects.set('lists/day/part-2', make(LISTS.slice(400)));
  objects.set('lists/day/part-1', make(LISTS.slice(0, 400)));
  objects.set('lists/day/_SUCCESS', Buffer.alloc(0));
  objects.set('lists/day/_temporary/0/part-3', make(LISTS));
  objects.set('lists/other/part-1', make(LISTS.slice(0, 1)));
  const expected = LISTS.map(textOf);
  expect(await textsOf('gs://lists/day/part-1')).toEqual(expected.slice(0, 400));
  expect(await textsOf('gs://lists/day/')).toEqual(expected);
  expect(await textsOf('gs://lists/day/part-*')).toEqual(expected);
  expect(await textsOf('gs://lists/day/**')).toEqual(expected);
  expect(await textsOf('gs://lists/day/_temporary/0/')).toEqual(expected);
});

test.each<[string, (lists: typeof LISTS) => Buffer]>([
  ['lines', jsonOf],
  ['Parquet', (lists) => parquetOf(lists)],
])('%s: a download that breaks off goes on behind its last byte', async (_format, make) => {
  objects.set('lists/part-1', make(LISTS));
  storage.cutAfter = 20_000;
  expect(await textsOf('gs://lists/part-1')).toEqual(LISTS.map(textOf));
});

test('an object that is replaced after it was found is not read, and neither is one with other bytes', async () => {
  for (const [make, change] of [
    [jsonOf, () => objects.set('lists/part-1', jsonOf(LISTS.slice(1)))],
    [parquetOf, () => objects.set('lists/part-1', parquetOf(LISTS.slice(1)))],
    [jsonOf, () => Object.assign(storage, { isGarbled: true })],
  ] as const) {
    objects.set('lists/part-1', make(LISTS));
    const sources = await findInputs(['gs://lists/part-1']);
    change();
    await expect(textsIn(sources)).rejects.toThrow(
      /gs:\/\/lists\/part-1: expected the object as it was found, got .*(No such object|the checksum )/,
    );
  }
});

test('what is not there, or not a URI, is named', async () => {
  for (const [uri, message] of [
    ['gs://lists/none', /expected gs:\/\/lists\/none to be readable: No such object/],
    ['gs://lists/none-*', /expected gs:\/\/lists\/none-\* to be readable: there is no such object/],
    ['gs://lists', /expected gs:\/\/BUCKET\/OBJECT, got "gs:\/\/lists"/],
  ] as const)
    await expect(findInputs([uri])).rejects.toThrow(message);
});

test('an output is an object once it is whole', async () => {
  const file = createJsonFile(await createOutput('gs://lists/out/home.control.ndjson'));
  for (const list of LISTS) await file.add(list);
  expect(objects.size).toBe(0);
  await file.end();
  expect(await textsOf('gs://lists/out/')).toEqual(LISTS.map(textOf));
  const abandoned = createJsonFile(await createOutput('gs://lists/out/other.ndjson'));
  await abandoned.add(LISTS[0] as object);
  await abandoned.abandon();
  expect([...objects.keys()]).toEqual(['lists/out/home.control.ndjson']);
});
