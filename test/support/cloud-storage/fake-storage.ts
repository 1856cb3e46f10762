// The calls of Cloud Storage's JSON API that commands make, in memory: list, upload, download and delete.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { matchesGlob } from 'node:path';
import { crc32 } from 'node:zlib';
import { onTestFinished } from 'vitest';

export interface FakeStorage {
  /** Contents by `bucket/object`. */
  readonly objects: Map<string, Buffer>;
  /** Uploads and deletions of a name that contains it fail with 403. Default: none. */
  refuse: string | undefined;
  /** A download breaks off after so many bytes. Default: none. */
  cutAfter: number | undefined;
  /** The first byte of a download is another one. */
  isGarbled: boolean;
}

/** Set as STORAGE_EMULATOR_HOST until the test ends. */
export async function startFakeStorage(): Promise<FakeStorage> {
  const fake: FakeStorage = { objects: new Map(), refuse: undefined, cutAfter: undefined, isGarbled: false };
  const server = createServer((request, response) => {
    respond(fake, request, response).catch((error: Error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.env.STORAGE_EMULATOR_HOST = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    delete process.env.STORAGE_EMULATOR_HOST;
    server.closeAllConnections();
    server.close();
  });
  return fake;
}

async function respond(fake: FakeStorage, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request);
  const url = new URL(request.url ?? '', 'http://localhost');
  const [, bucket = '', encoded = ''] = /\/b\/([^/]+)\/o\/?(.*)$/.exec(url.pathname) ?? [];
  const name = `${bucket}/${url.pathname.startsWith('/upload') ? (url.searchParams.get('name') ?? '') : decodeURIComponent(encoded)}`;
  const answer = (status: number, value?: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(value === undefined ? undefined : JSON.stringify(value));
  };
  if (request.method === 'POST') {
    if (fake.refuse !== undefined && name.includes(fake.refuse))
      return answer(403, { error: { message: 'forbidden' } });
    if (url.searchParams.get('ifGenerationMatch') === '0' && fake.objects.has(name))
      return answer(412, { error: { code: 412, message: 'At least one of the pre-conditions does not hold' } });
    const media = mediaOf(request, body);
    fake.objects.set(name, media);
    return answer(200, {
      name,
      bucket,
      crc32c: crc32cOf(media),
      md5Hash: createHash('md5').update(media).digest('base64'),
    });
  }
  if (request.method === 'DELETE' && fake.refuse !== undefined && name.includes(fake.refuse)) return answer(403, {});
  if (request.method === 'DELETE') return answer(fake.objects.delete(name) ? 204 : 404);
  if (encoded !== '') {
    const object = fake.objects.get(name);
    const generation = url.searchParams.get('generation');
    const isFound = object !== undefined && (generation === null || generation === generationOf(object));
    return answerObject(fake, isFound ? object : undefined, url, request, response);
  }
  const prefix = `${bucket}/${url.searchParams.get('prefix') ?? ''}`;
  const glob = url.searchParams.get('matchGlob');
  const items = [...fake.objects].filter(
    ([each]) => each.startsWith(prefix) && (glob === null || matchesGlob(each, `${bucket}/${glob}`)),
  );
  answer(200, {
    items: items.map(([each, object]) => ({ name: each.slice(bucket.length + 1), bucket, ...metadataOf(object) })),
  });
}

const metadataOf = (object: Buffer) => ({
  ...{ size: object.length, crc32c: crc32cOf(object), generation: generationOf(object) },
});

/** Another one for other bytes. */
const generationOf = (object: Buffer): string => String(crc32(object));

/** The metadata of an object, its bytes, or a range of them. */
function answerObject(
  { cutAfter, isGarbled }: FakeStorage,
  object: Buffer | undefined,
  url: URL,
  { headers }: IncomingMessage,
  response: ServerResponse,
): void {
  if (object === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { code: 404, message: 'No such object' } }));
  } else if (url.searchParams.get('alt') !== 'media') {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(metadataOf(object)));
  } else {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(headers.range ?? '') ?? [];
    const part = from === undefined ? object : object.subarray(Number(from), Number(to) + 1);
    response.writeHead(from === undefined ? 200 : 206, { 'content-length': part.length });
    const sent = isGarbled ? Buffer.concat([Buffer.from('?'), part.subarray(1)]) : part;
    if (cutAfter === undefined || cutAfter >= sent.length) response.end(sent);
    else response.write(sent.subarray(0, cutAfter), () => response.destroy());
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The second part of a multipart upload (RFC 2387). */
function mediaOf(request: IncomingMessage, body: Buffer): Buffer {
  const [, boundary = ''] = /boundary="?([^";]+)"?/.exec(request.headers['content-type'] ?? '') ?? [];
  const second = body.indexOf(`--${boundary}`, body.indexOf(`--${boundary}`) + 1);
  const start = body.indexOf('\r\n\r\n', second) + 4;
  return body.subarray(start, body.indexOf(`\r\n--${boundary}--`, start));
}

/** CRC-32C (RFC 3720, appendix B.4) in base64. The client compares it with that of its bytes. */
function crc32cOf(bytes: Buffer): string {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  const result = Buffer.alloc(4);
  result.writeUInt32BE(~crc >>> 0);
  return result.toString('base64');
}
