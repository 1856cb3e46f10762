import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Line, MAX_LINE_BYTES, readLines } from '../../../../ops/ingest/lines.ts';

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
  for await (const group of readLines(path, (count) => (bytes += count))) lines.push(...group);
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
  const texts = Array.from({ length: 20_000 }, (_, i) => `${i}-${'x'.repeat(i % 97)}`);
  expect((await linesOf(texts.join('\n'))).lines.map(({ text }) => text)).toEqual(texts);
  expect((await linesOf(gzipSync(texts.join('\n')), 'file.gz')).lines.map(({ text }) => text)).toEqual(texts);
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

test('a gzip file that is cut short throws after the lines that were whole', async () => {
  const whole = gzipSync(Array.from({ length: 10_000 }, (_, i) => `line ${i} ${i * 7919}`).join('\n'));
  await expect(linesOf(whole.subarray(0, whole.length / 2), 'cut.gz')).rejects.toThrow('unexpected end of file');
});
