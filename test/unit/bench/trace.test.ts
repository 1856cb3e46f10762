// Decoding of recorded keys, with synthetic traces.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { decodeKeys, readTrace } from '../../../bench/support/trace.ts';

const directory = mkdtempSync(join(tmpdir(), 'earshot-trace-'));
afterAll(() => rmSync(directory, { recursive: true }));

const write = (name: string, bytes: Uint8Array): string => {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
};

const encode = (keys: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(keys.length * 4);
  for (const [i, key] of keys.entries()) bytes.writeInt32BE(key, i * 4);
  return bytes;
};

async function collect(chunks: AsyncIterable<Int32Array>): Promise<number[]> {
  const keys: number[] = [];
  for await (const chunk of chunks) keys.push(...chunk);
  return keys;
}

test('keys are the same wherever their bytes are cut', async () => {
  const int32s = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 20 });
  const pieceBytes = fc.integer({ min: 1, max: 9 });
  await fc.assert(
    fc.asyncProperty(int32s, pieceBytes, async (keys, size) => {
      const bytes = encode(keys);
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      expect(await collect(decodeKeys(pieces))).toEqual(keys);
    }),
  );
});

test('a key that is cut off is an error, not a key less', async () => {
  await expect(collect(decodeKeys([Buffer.alloc(6)]))).rejects.toThrow(
    'expected keys of 4 bytes each, got 2 at the end',
  );
});

test('a missing trace is named, with where it was expected', async () => {
  const path = join(directory, 'none.trace.xz');
  await expect(collect(readTrace(path))).rejects.toThrow(
    `expected the traces beside this checkout, got nothing at ${path}`,
  );
});

test('a missing xz is named', async () => {
  await expect(collect(readTrace(write('any.trace.xz', encode([1])), 'earshot-no-xz'))).rejects.toThrow(
    'expected the program earshot-no-xz to unpack the traces',
  );
});

const hasXz = (() => {
  try {
    execFileSync('xz', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!hasXz)('a packed trace is read whole (skipped where there is no xz)', async () => {
  const keys = Array.from({ length: 50_000 }, (_, i) => i * 40_000 - 1_000_000_000);
  const packed = execFileSync('xz', ['-c'], { input: encode(keys), maxBuffer: 2 ** 24 });
  expect(await collect(readTrace(write('packed.trace.xz', packed)))).toEqual(keys);
});

test.skipIf(!hasXz)('a file that xz refuses is an error (skipped where there is no xz)', async () => {
  const path = write('broken.trace.xz', encode([1, 2, 3]));
  await expect(collect(readTrace(path))).rejects.toThrow(`to unpack ${path}, got exit code 1`);
});
