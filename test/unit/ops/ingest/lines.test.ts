import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_LINE_BYTES } from '../../../../ops/ingest/formats/json-lines.ts';
import type { Line, RecordForm } from '../../../../ops/ingest/formats/line.ts';
import { readLines } from '../../../../ops/ingest/formats/open-lines.ts';
import { findInputs } from '../../../../ops/ingest/inputs/find-inputs.ts';

const LISTS: RecordForm = { kind: 'lists', family: 'l', qualifier: 'home/control', timestampMicros: 1e15 };

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-lines-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function linesOf(content: string | Buffer, name = 'file.ndjson'): Promise<{ lines: Line[]; bytes: number }> {
  const path = join(directory, name);
  writeFileSync(path, content);
  const lines: Line[] = [];
  let bytes = 0;
  for (const source of await findInputs([path]))
    for await (const group of readLines(source, LISTS, (count) => (bytes += count))) lines.push(...group);
  return { lines, bytes };
}

test('every line comes with its number; blank ones count but do not come', async () => {
  const { lines, bytes } = await linesOf('one\r\n\n  \ntwo\nthree');
  expect(lines).toEqual([
    { number: 1, text: 'one' },
    { number: 4, text: 'two' },
    { number: 5, text: 'three' },
  ]);
  expect(bytes).toBe(18);
});

test('an empty file has no lines', async () => {
  expect((await linesOf('')).lines).toEqual([]);
});

test('lines that lie across the chunks of a large file come whole', async () => {
  const long = Array.from({ length: 20_000 }, (_, i) => `${i}-${'x'.repeat(i % 97)}`);
  expect((await linesOf(long.join('\n'))).lines.map(({ text }) => text)).toEqual(long);
  expect((await linesOf(gzipSync(long.join('\n')), 'file.gz')).lines.map(({ text }) => text)).toEqual(long);
});

test('a line that is too long is marked broken and the next one is read', async () => {
  const { lines } = await linesOf(`${'x'.repeat(3 * MAX_LINE_BYTES)}\nnext\n`);
  expect(lines[0]).toMatchObject({
    number: 1,
    broken: expect.stringContaining('expected a line of at most 1048576 bytes'),
  });
  expect(lines[0]?.text.length).toBeLessThanOrEqual(1024);
  expect(lines[1]).toEqual({ number: 2, text: 'next' });
});

test('a line that is not UTF-8 is marked broken', async () => {
  const { lines } = await linesOf(Buffer.from([0x61, 0xff, 0x0a, 0x62]));
  expect(lines).toMatchObject([
    { number: 1, broken: 'expected UTF-8, got other bytes' },
    { number: 2, text: 'b' },
  ]);
});

const texts = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `line ${from + i} ${Math.sin(from + i)}`);
const zip = (from: number, count: number): Buffer => gzipSync(`${texts(from, count).join('\n')}\n`);
/** Larger than a chunk, zipped and unzipped. */
const LARGE = 40_000;

describe('gzip', () => {
  test.each(['file.gz', 'file.GZ', 'file.ndjson', 'file'])('is recognised by its content in %s', async (name) => {
    expect((await linesOf(zip(0, 3), name)).lines.map(({ text }) => text)).toEqual(texts(0, 3));
  });

  test('is not expected because of a name', async () => {
    expect((await linesOf('plain', 'plain.gz')).lines).toEqual([{ number: 1, text: 'plain' }]);
  });

  const first = zip(0, LARGE);
  const second = zip(LARGE, 5);
  test.each<[what: string, content: Buffer]>([
    ['that follows at once', Buffer.concat([first, second])],
    ['after a zero byte', Buffer.concat([first, Buffer.alloc(1), second])],
    ['after many zero bytes', Buffer.concat([first, Buffer.alloc(700_000), second, Buffer.alloc(3)])],
    ['at the edge of a chunk', Buffer.concat([first, Buffer.alloc(262_144 - (first.length % 262_144)), second])],
    [
      'with its first byte in another chunk',
      Buffer.concat([first, Buffer.alloc(262_143 - (first.length % 262_144)), second]),
    ],
  ])('loses no line of a member %s', async (_what, content) => {
    const { lines, bytes } = await linesOf(content);
    expect(lines.map(({ text }) => text)).toEqual(texts(0, LARGE + 5));
    expect(bytes).toBe(content.length);
  });

  test.each<[what: string, content: Buffer, message: RegExp]>([
    [
      'is followed by other bytes',
      Buffer.concat([first, Buffer.alloc(9), Buffer.from('{"user":"u:1"}')]),
      new RegExp(
        `file\\.ndjson: expected the end of the gzip file, or more gzip, got other bytes \\(7b227573\\) at byte ${first.length + 9}$`,
      ),
    ],
    [
      'is cut short',
      first.subarray(0, first.length - 20),
      new RegExp(
        `file\\.ndjson: expected a whole gzip file, got unexpected end of file after byte ${first.length - 20}$`,
      ),
    ],
    [
      'has a second member that is cut short',
      Buffer.concat([first, second.subarray(0, 30)]),
      /unexpected end of file after byte/,
    ],
    ['is cut after its first bytes', second.subarray(0, 12), /unexpected end of file after byte 12$/],
    [
      'is broken in the middle',
      Buffer.concat([first.subarray(0, 300_000), Buffer.alloc(50, 0xff), first.subarray(300_050)]),
      /expected a whole gzip file, got (invalid|incorrect) .* in bytes \d+ to \d+$/,
    ],
  ])('is an error with the name and the offset if it %s', async (_what, content, message) => {
    await expect(linesOf(content)).rejects.toThrow(message);
  });
});

test.each([
  ['bzip2', '425a6839314159'],
  ['xz', 'fd377a585a0000'],
  ['a ZIP archive', '504b03041400'],
  ['UTF-16 text', 'fffe7b002200'],
  ['an unknown binary format (it begins with 000102030405)', '000102030405'],
])('%s is named in the error', async (format, hex) => {
  await expect(linesOf(Buffer.from(hex, 'hex'))).rejects.toThrow(
    `file.ndjson: expected Avro, Parquet or lines of JSON, got ${format}`,
  );
});
