// Bytes of a stream in the lengths that a reader asks for. Memory is bounded by one chunk and the longest request.

export interface ByteReader {
  /** Exactly `length` bytes. Rejects with the offset if the stream ends before. */
  take(length: number): Promise<Buffer>;
  isAtEnd(): Promise<boolean>;
  /** Bytes that were taken. */
  offset(): number;
}

export function createByteReader(name: string, chunks: AsyncIterable<Buffer>): ByteReader {
  const source = chunks[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let at = 0;
  let offset = 0;

  /** False at the end. */
  async function more(): Promise<boolean> {
    const { done, value } = await source.next();
    if (done) return false;
    held = at === held.length ? value : Buffer.concat([held.subarray(at), value]);
    at = 0;
    return true;
  }

  async function takeLong(length: number): Promise<Buffer> {
    const parts = [held.subarray(at)];
    let missing = length - (held.length - at);
    held = Buffer.alloc(0);
    at = 0;
    while (missing > 0) {
      if (!(await more())) throw new Error(`${name}: expected ${missing} more bytes after byte ${offset}, got the end`);
      const part = held.subarray(0, missing);
      parts.push(part);
      at = part.length;
      missing -= part.length;
      if (missing > 0) held = Buffer.alloc(0);
      if (missing > 0) at = 0;
    }
    return Buffer.concat(parts);
  }

  return {
    take: async (length) => {
      if (held.length - at >= length) {
        at += length;
        offset += length;
        return held.subarray(at - length, at);
      }
      const bytes = await takeLong(length);
      offset += length;
      return bytes;
    },
    isAtEnd: async () => {
      while (at === held.length) if (!(await more())) return true;
      return false;
    },
    offset: () => offset,
  };
}
