// The bytes of an object of Cloud Storage. A download that breaks off goes on behind its last byte, of the same
// generation of the object.
import type { Readable } from 'node:stream';
import type { CRC32C, File } from '@google-cloud/storage';
import { type Clock, pause } from '../../../shared/runtime/clock.ts';
import { systemRandom } from '../../../shared/runtime/random.ts';

interface ReadOptions {
  readonly clock: Clock;
  /** First byte. */
  readonly start: number;
  /** The byte behind the last one. */
  readonly end: number;
}

/** Downloads in a row that bring no byte. */
const MAX_FAILURES = 8;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A connection that is gone without a word brings nothing for longer. */
const IDLE_MS = 60_000;

/** Throws the client's error, or an Error for an object that is shorter. */
export async function* readObject(file: File, { clock, start, end }: ReadOptions): AsyncGenerator<Buffer> {
  let at = start;
  for (let failures = 0; at < end; ) {
    try {
      for await (const chunk of readSteadily(file.createReadStream({ start: at, end: end - 1, ...AS_STORED }), clock)) {
        at += chunk.length;
        failures = 0;
        yield chunk;
      }
      if (at < end) throw new Error(`expected ${end} bytes, got ${at}`);
    } catch (error) {
      if (++failures === MAX_FAILURES || isLasting(error)) throw error;
      await pause(clock, systemRandom() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures));
    }
  }
}

/** The client would unzip an object with `Content-Encoding: gzip`. */
const AS_STORED = { decompress: false } as const;

/** Yields what `chunks` yields. Throws an Error at their end if their checksum is another one. */
export async function* checked(chunks: AsyncIterable<Buffer>, sum: CRC32C, expected: string): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    sum.update(chunk);
    yield chunk;
  }
  if (!sum.validate(expected)) throw new Error(`expected the checksum ${expected}, got ${sum}`);
}

async function* readSteadily(stream: Readable, clock: Clock): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const stop = (): void => void stream.destroy(new Error(`no byte within ${IDLE_MS / 1000} s`));
      const cancel = clock.setTimeout(stop, IDLE_MS);
      const next = await chunks.next().finally(cancel);
      if (next.done) return;
      yield next.value as Buffer;
    }
  } finally {
    stream.destroy();
  }
}

/** A missing object or right stays missing. Errors of the network have no status. */
function isLasting(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'number' && code >= 400 && code < 500 && code !== 408 && code !== 429;
}
