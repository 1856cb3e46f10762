// `earshot exposures export` against a worker of the test's own: failures that pass, failures that stay, and the file.
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runInProcess } from '../support/earshot/command-in-process.ts';
import { messageOf } from './support/command-instances.ts';

const NINE = Date.UTC(2026, 10, 30, 9);
const HOUR_MS = 3_600_000;
const PAGE = 10;
const PREFIX = '/internal/v1/exposures';
let server: Server;
let root: string;
let directory: string;
let objects: Map<string, Buffer>;
/** The statuses of the next answers of a path, before it is answered. */
let failures: Map<string, number[]>;
let inFlight: number;
let mostInFlight: number;

const lineOf = (id: string, atMs: number): string =>
  `${JSON.stringify({
    ...{
      id,
      atMs,
      hour: 500_000,
      userRef: `ref-${id}`,
      experiment: 'ranking',
      arm: 'knn',
      salt: 'ranking-1',
      generation: 1,
    },
    ...{ source: 'personal', reason: 'bucket', tier: 'isolate' },
  })}\n`;

const hourOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 13);

function put(name: string, atMs: number, ...ids: string[]): string {
  const path = `${hourOf(atMs)}/${name}.ndjson.gz`;
  objects.set(path, gzipSync(ids.map((id) => lineOf(id, atMs)).join('')));
  return path;
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'earshot-exposures-'));
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://edge');
    const name = url.pathname.slice(PREFIX.length + 1);
    const status = failures.get(name)?.shift();
    if (status === 0) {
      response.destroy();
      return;
    }
    if (status !== undefined) {
      response.writeHead(status, { 'retry-after': '0' }).end('no');
      return;
    }
    if (name === '') {
      const from = url.searchParams.get('cursor') ?? url.searchParams.get('since') ?? '';
      const rest = [...objects.keys()].sort().filter((each) => each > from);
      const names = rest.slice(0, PAGE);
      response.end(JSON.stringify({ names, ...(rest.length > PAGE ? { cursor: names.at(-1) } : {}) }));
      return;
    }
    inFlight += 1;
    mostInFlight = Math.max(mostInFlight, inFlight);
    // The later an object, the earlier its answer: the order is the command's.
    const delayMs = 60 - 2 * Number(/\d+(?=\.)/.exec(name)?.[0] ?? 0);
    setTimeout(() => {
      inFlight -= 1;
      response.end(objects.get(name));
    }, delayMs);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(root, { recursive: true, force: true });
});

beforeEach(() => {
  directory = mkdtempSync(join(root, 'run-'));
  objects = new Map();
  failures = new Map();
  inFlight = 0;
  mostInFlight = 0;
});

afterEach(() => {
  // No part of an export is left behind.
  expect(readdirSync(directory).filter((name) => name !== 'out.ndjson')).toEqual([]);
});

function exportAll(...args: string[]) {
  const edge = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const span = ['--since', '2026-11-30T00:00:00Z', '--until', '2026-12-05T00:00:00Z'];
  return runInProcess(['exposures', 'export', '--edge', edge, ...span, ...args], { EARSHOT_TOKEN: 'x' });
}

const idsIn = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { id: string }).id);

test('objects are read eight at a time, and stand in the order of their names, over pages', async () => {
  const ids = Array.from({ length: 2 * PAGE + 3 }, (_, i) => `id-${String(i).padStart(2, '0')}`);
  for (const [i, id] of ids.entries()) put(`o${String(i).padStart(2, '0')}`, NINE, id);
  const { code, stdout, stderr } = await exportAll();
  expect({ code, stderr }).toEqual({ code: 0, stderr: `${ids.length} exposures\n` });
  expect(idsIn(stdout)).toEqual(ids);
  expect(mostInFlight).toBe(8);
});

test('answers of limits, failures of the worker and broken connections are repeated', async () => {
  const path = put('o1', NINE, 'a');
  put('o2', NINE, 'b');
  failures.set('', [429, 503]).set(path, [429, 500, 0]);
  const { code, stdout } = await exportAll();
  expect(code).toBe(0);
  expect(idsIn(stdout)).toEqual(['a', 'b']);
});

test('a refusal is one error with the path and the status, and is not repeated', async () => {
  failures.set('', [403, 403]);
  expect(messageOf(await exportAll())).toEqual({
    ...{
      code: 1,
      message: expect.stringMatching(/^earshot: the edge answered .*\?since=2026-11-30T00 with status 403: no/),
    },
  });
  expect(failures.get('')).toEqual([403]);
});

test('an exposure that was reported several times within a day stands there once', async () => {
  put('o1', NINE, 'a', 'b', 'a');
  put('o2', NINE + HOUR_MS, 'b');
  put('o3', NINE + 25 * HOUR_MS, 'a', 'c');
  expect(idsIn((await exportAll()).stdout)).toEqual(['a', 'b', 'c']);
});

describe('an object that is broken is named', () => {
  test.each<[string, Buffer, string]>([
    ['with a line that was cut', gzipSync(`${lineOf('a', NINE)}{"id":`), ':2 is no exposure: '],
    ['with another value', gzipSync('{"id":1}\n'), ':1 is no exposure: id: '],
    ['that was cut', gzipSync(lineOf('a', NINE)).subarray(0, 30), ' is no gzipped text: '],
  ])('%s', async (_case, bytes, reason) => {
    const path = put('o1', NINE);
    objects.set(path, bytes);
    expect(messageOf(await exportAll())).toEqual({
      ...{ code: 1, message: expect.stringContaining(`earshot: ${path}${reason}`) },
    });
  });

  test('unless its lines are blank', async () => {
    const path = put('o1', NINE);
    objects.set(path, gzipSync(`\n${lineOf('a', NINE)}\n \n${lineOf('b', NINE)}\n`));
    expect(idsIn((await exportAll()).stdout)).toEqual(['a', 'b']);
  });
});

describe('the file', () => {
  const file = () => join(directory, 'out.ndjson');

  test('has all exposures, and only this user can read it', async () => {
    // More than one write has.
    const ids = Array.from({ length: 1_000 }, (_, i) => `id-${i}`);
    put('o1', NINE, ...ids);
    expect(await exportAll('--out', file())).toEqual({ code: 0, stdout: '1 000 exposures\n', stderr: '' });
    expect(readFileSync(file(), 'utf8')).toBe(ids.map((id) => lineOf(id, NINE)).join(''));
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  test('stays as it was when an export fails, and is replaced by a whole one', async () => {
    writeFileSync(file(), 'before');
    const path = put('o1', NINE, 'a');
    put('o0', NINE, 'b');
    failures.set(path, [404]);
    expect(messageOf(await exportAll('--out', file()))).toMatchObject({ code: 1 });
    expect(readFileSync(file(), 'utf8')).toBe('before');
    expect(await exportAll('--out', file())).toMatchObject({ code: 0 });
    expect(idsIn(readFileSync(file(), 'utf8'))).toEqual(['b', 'a']);
  });

  test('is absent after an export that fails', async () => {
    failures.set(put('o1', NINE, 'a'), [404]);
    expect(await exportAll('--out', file())).toMatchObject({ code: 1 });
    expect(existsSync(file())).toBe(false);
  });

  test('that cannot be made is one error before a request', async () => {
    failures.set('', [403]);
    const path = join(directory, 'none', 'x');
    expect(messageOf(await exportAll('--out', path))).toEqual({
      ...{ code: 1, message: expect.stringMatching(`^earshot: expected ${path} to be writable: ENOENT`) },
    });
    expect(failures.get('')).toEqual([403]);
  });

  test('that is a directory stays one', async () => {
    mkdirSync(file());
    expect(messageOf(await exportAll('--out', file()))).toEqual({
      ...{ code: 1, message: expect.stringMatching(`^earshot: expected ${file()} to be writable: EISDIR`) },
    });
    expect(statSync(file()).isDirectory()).toBe(true);
  });

  test('on a disk that is full is one error', async () => {
    put('o1', NINE, 'a');
    expect(messageOf(await exportAll('--out', '/dev/full'))).toEqual({
      ...{ code: 1, message: expect.stringMatching('^earshot: expected /dev/full to be writable: ENOSPC') },
    });
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
  });
});
