// Inputs and outputs in Cloud Storage, by Google's own client against a server that speaks the JSON API over HTTP.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { matchesGlob } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { CRC32C } from '@google-cloud/storage';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createJsonFile } from '../../../ops/files/json-file.ts';
import { createOutput } from '../../../ops/files/output.ts';
import { readLines } from '../../../ops/ingest/formats/open-lines.ts';
import { findInputs } from '../../../ops/ingest/inputs/find-inputs.ts';
import { avroOf, FORM, jsonOf, makeLists, parquetOf, textOf } from '../../unit/ops/ingest/formats/support.ts';

const objects = new Map<string, Buffer>();
let server: Server;

function checksumOf(bytes: Buffer): string {
  const checksum = new CRC32C();
  checksum.update(bytes);
  return checksum.toString();
}

const describeObject = (name: string, bytes: Buffer) => ({
  ...{ kind: 'storage#object', bucket: 'lists', name, size: String(bytes.length) },
  crc32c: checksumOf(bytes),
});

function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const url = new URL(request.url ?? '', 'http://storage');
  const json = (value: object, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const [, name] = /\/b\/lists\/o\/([^/]+)$/.exec(url.pathname) ?? [];
  if (request.method === 'POST') {
    // A multipart upload: the metadata, and then the bytes.
    const boundary = /boundary="?([^";]+)/.exec(request.headers['content-type'] ?? '')?.[1] ?? '';
    const [, meta = '', content = ''] = body.toString('latin1').split(`--${boundary}`);
    const object = url.searchParams.get('name') ?? (JSON.parse(meta.slice(meta.indexOf('{'))) as { name: string }).name;
    const bytes = Buffer.from(content.slice(content.indexOf('\r\n\r\n') + 4).replace(/\r\n$/, ''), 'latin1');
    objects.set(object, bytes);
    json(describeObject(object, bytes));
  } else if (name === undefined) {
    const [prefix, glob] = [url.searchParams.get('prefix') ?? '', url.searchParams.get('matchGlob')];
    const found = [...objects].filter(
      ([each]) => each.startsWith(prefix) && (glob === null || matchesGlob(each, glob)),
    );
    json({ kind: 'storage#objects', items: found.map(([each, bytes]) => describeObject(each, bytes)) });
  } else {
    const bytes = objects.get(decodeURIComponent(name));
    if (bytes === undefined) json({ error: { code: 404, message: 'No such object' } }, 404);
    else if (url.searchParams.get('alt') !== 'media') json(describeObject(decodeURIComponent(name), bytes));
    else {
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
      const part = from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1);
      response.writeHead(from === undefined ? 200 : 206, { 'content-length': part.length }).end(part);
    }
  }
}

beforeAll(async () => {
  server = createServer((request, response) => {
    buffer(request).then((body) => answer(request, response, body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env.STORAGE_EMULATOR_HOST = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  delete process.env.STORAGE_EMULATOR_HOST;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const LISTS = makeLists(700);

async function textsOf(...uris: string[]): Promise<string[]> {
  const texts: string[] = [];
  for (const source of await findInputs(uris))
    for await (const group of readLines(source, FORM, () => undefined)) texts.push(...group.map(({ text }) => text));
  return texts;
}

test.each<[string, (lists: typeof LISTS) => Buffer]>([
  ['lines', jsonOf],
  ['gzip', (lists) => gzipSync(jsonOf(lists))],
  ['Avro', (lists) => avroOf(lists)],
  ['Parquet, by ranges', (lists) => parquetOf(lists)],
])('%s: one object, a prefix without markers, and a pattern', async (_format, make) => {
  objects.clear();
  objects.set('day/part-2', make(LISTS.slice(400)));
  objects.set('day/part-1', make(LISTS.slice(0, 400)));
  objects.set('day/_SUCCESS', Buffer.alloc(0));
  objects.set('other/part-1', make(LISTS.slice(0, 1)));
  const expected = LISTS.map(textOf);
  expect(await textsOf('gs://lists/day/part-1')).toEqual(expected.slice(0, 400));
  expect(await textsOf('gs://lists/day/')).toEqual(expected);
  expect(await textsOf('gs://lists/day/part-*')).toEqual(expected);
});

test('what is not there, or not a URI, is named', async () => {
  objects.clear();
  for (const [uri, message] of [
    ['gs://lists/none', /expected gs:\/\/lists\/none to be readable: No such object/],
    ['gs://lists/none-*', /expected gs:\/\/lists\/none-\* to be readable: there is no such object/],
    ['gs://lists', /expected gs:\/\/BUCKET\/OBJECT, got "gs:\/\/lists"/],
  ] as const)
    await expect(findInputs([uri])).rejects.toThrow(message);
});

test('an output is an object once it is whole', async () => {
  objects.clear();
  const file = createJsonFile(await createOutput('gs://lists/out/home.control.ndjson'));
  for (const list of LISTS) await file.add(list);
  expect(objects.size).toBe(0);
  await file.end();
  expect(await textsOf('gs://lists/out/')).toEqual(LISTS.map(textOf));
  const abandoned = createJsonFile(await createOutput('gs://lists/out/other.ndjson'));
  await abandoned.add(LISTS[0] as object);
  await abandoned.abandon();
  expect([...objects.keys()]).toEqual(['out/home.control.ndjson']);
});
