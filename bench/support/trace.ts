// Recorded request keys in order: xz-compressed big-endian int32. They are streamed; the whole trace is never in
// memory.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

const BYTES_PER_KEY = 4;

/**
 * The keys of the trace at `path`, in chunks, decompressed by the `xz` program. Throws an Error if either is missing or
 * broken.
 */
export async function* readTrace(path: string, xz = 'xz'): AsyncGenerator<Int32Array> {
  if (!existsSync(path)) throw new Error(`expected the traces beside this checkout, got nothing at ${path}`);
  const child = spawn(xz, ['-dc', path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child, 'spawn').catch((cause: unknown) => {
    throw new Error(`expected the program ${xz} to unpack the traces, got none that starts`, { cause });
  });
  const closed = once(child, 'close');
  try {
    yield* decodeKeys(child.stdout);
    const [code] = (await closed) as [number | null];
    if (code !== 0) throw new Error(`expected ${xz} to unpack ${path}, got exit code ${code}`);
  } finally {
    child.kill();
  }
}

/** Decodes big-endian int32 keys across chunk boundaries. Throws an Error for a truncated last key. */
export async function* decodeKeys(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Int32Array> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const keys = new Int32Array(Math.floor(bytes.length / BYTES_PER_KEY));
    for (let i = 0; i < keys.length; i++) keys[i] = bytes.readInt32BE(i * BYTES_PER_KEY);
    rest = bytes.subarray(keys.length * BYTES_PER_KEY);
    if (keys.length > 0) yield keys;
  }
  if (rest.length > 0) throw new Error(`expected keys of ${BYTES_PER_KEY} bytes each, got ${rest.length} at the end`);
}
