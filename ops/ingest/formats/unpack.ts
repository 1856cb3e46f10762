// Unpacks gzip members or zstd frames until the end of the input. Node's own streams ignore what follows: everything
// after a zero byte behind a gzip member, and everything after the first zstd frame.
import type { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** A packed format. Its parts follow each other. */
interface Packing {
  readonly name: string;
  isPart(first: Buffer): boolean;
  createStream(): Transform & { readonly bytesWritten: number };
  /** Whether zero bytes may stand between and after the parts, as tapes and block devices leave them. */
  readonly hasPadding: boolean;
}

const CHUNK_BYTES = 256 * 1024;
/** Bytes that tell a part from anything else. */
export const MAGIC_BYTES = 4;

const GZIP: Packing = {
  name: 'gzip',
  isPart: (first) => first[0] === 0x1f && first[1] === 0x8b,
  createStream: () => createGunzip({ chunkSize: CHUNK_BYTES }),
  hasPadding: true,
};
const ZSTD: Packing = {
  name: 'zstd',
  // A frame, or a skippable one (RFC 8878, sections 3.1.1 and 3.1.2).
  isPart: (first) => /^(28b52ffd|5[0-9a-f]2a4d18)/.test(first.toString('hex', 0, MAGIC_BYTES)),
  createStream: () => createZstdDecompress({ chunkSize: CHUNK_BYTES }),
  hasPadding: false,
};

/** Undefined for bytes that are neither gzip nor zstd. */
export const packingOf = (first: Buffer): Packing | undefined => [GZIP, ZSTD].find(({ isPart }) => isPart(first));

/** Throws an Error with `name` and the offset for an input that is not packed so to its end. */
export async function* unpack(name: string, packing: Packing, input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = input[Symbol.asyncIterator]();
  try {
    yield* unpackAll(name, packing, createPushback(source));
  } finally {
    // Not awaited: a pipe without a writer would hold the error back.
    source.return?.().catch(() => undefined);
  }
}

async function* unpackAll(name: string, packing: Packing, chunks: Pushback): AsyncGenerator<Buffer> {
  let offset = 0;
  let isAtEnd = false;
  while (!isAtEnd) {
    const members = createMembers(packing.createStream(), chunks);
    try {
      yield* members.bytes;
    } catch (error) {
      const { message } = error as Error;
      const from = offset + members.consumed();
      // After any other error the stream does not tell how much of the latest bytes it has used.
      const where = /end of file/.test(message)
        ? `after byte ${from}`
        : `in bytes ${from} to ${offset + members.given()}`;
      throw new Error(`${name}: expected a whole ${packing.name} file, got ${message} ${where}`, { cause: error });
    }
    offset += members.consumed();
    members.pushBackRest();
    offset += packing.hasPadding ? await skipZeros(chunks) : 0;
    const next = await peek(chunks, MAGIC_BYTES);
    isAtEnd = next.length === 0;
    if (!isAtEnd && !packing.isPart(next)) {
      const found = next.toString('hex');
      throw new Error(
        `${name}: expected the end of the ${packing.name} file, or more ${packing.name}, got other bytes (${found}) at byte ${offset}`,
      );
    }
  }
}

interface Pushback {
  next(): Promise<Buffer | undefined>;
  /** `chunk` is the next one. */
  push(chunk: Buffer): void;
}

function createPushback(input: AsyncIterator<Buffer>): Pushback {
  const pushed: Buffer[] = [];
  return {
    next: async () => {
      const own = pushed.pop();
      if (own !== undefined) return own;
      const { done, value } = await input.next();
      return done ? undefined : value;
    },
    push: (chunk) => {
      if (chunk.length > 0) pushed.push(chunk);
    },
  };
}

interface Members {
  readonly bytes: AsyncIterable<Buffer>;
  /** Number of zipped bytes that the members so far had. */
  consumed(): number;
  /** Number of zipped bytes that were given to them. */
  given(): number;
  /** After the end of `bytes`: gives the input that no member used back. */
  pushBackRest(): void;
}

/** The parts that the stream takes for one: gzip members that follow each other without a gap, or one zstd frame. */
function createMembers(stream: ReturnType<Packing['createStream']>, chunks: Pushback): Members {
  /** The last written chunk, and the number of bytes written before it. */
  let last: Buffer = Buffer.alloc(0);
  let before = 0;

  async function feed(): Promise<void> {
    while (!stream.destroyed) {
      const chunk = await chunks.next();
      if (chunk === undefined) {
        stream.end();
        return;
      }
      before += last.length;
      last = chunk;
      await new Promise<void>((resolve) => stream.write(chunk, () => resolve()));
      // The stream leaves the bytes after a gap, and has ended then.
      if (stream.bytesWritten < before + last.length) return;
    }
  }

  return {
    bytes: unzip(stream, feed),
    consumed: () => stream.bytesWritten,
    given: () => before + last.length,
    pushBackRest: () => chunks.push(last.subarray(stream.bytesWritten - before)),
  };
}

async function* unzip(stream: Transform, feed: () => Promise<void>): AsyncGenerator<Buffer> {
  const feeding = feed().catch((error: Error) => stream.destroy(error));
  for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
  await feeding;
}

/** The number of zero bytes before the next other byte, or the end. */
async function skipZeros(chunks: Pushback): Promise<number> {
  let zeros = 0;
  for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) {
    const other = chunk.findIndex((byte) => byte !== 0);
    if (other !== -1) {
      chunks.push(chunk.subarray(other));
      return zeros + other;
    }
    zeros += chunk.length;
  }
  return zeros;
}

/** The next bytes, at most `length`, without taking them. */
async function peek(chunks: Pushback, length: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for (let chunk = await chunks.next(); chunk !== undefined; chunk = await chunks.next()) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= length) break;
  }
  chunks.push(bytes);
  return bytes.subarray(0, length);
}
