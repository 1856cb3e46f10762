// Snappy by WebAssembly. The length of the result stands before it, as a varint.
import { snappyUncompress } from 'hysnappy';

/** Throws an Error for bytes that are no Snappy, or that would be longer than `maxBytes`. */
export function unpackSnappy(bytes: Uint8Array, maxBytes: number): Buffer {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i] ?? 0;
    length += (byte & 0x7f) * 128 ** i;
    if (byte < 0x80) break;
  }
  if (length > maxBytes) throw new Error(`expected at most ${maxBytes} bytes, got ${length}`);
  return Buffer.from(snappyUncompress(bytes, length));
}
