// Text to bytes and back, with the coders of every runtime. Shared code has no platform types, so this file declares
// them.
interface PlatformCoders {
  TextEncoder: new () => {
    encode(text: string): Uint8Array<ArrayBuffer>;
    encodeInto(text: string, target: Uint8Array): unknown;
  };
  TextDecoder: new (label: 'utf-8', options: { fatal: boolean }) => { decode(bytes: Uint8Array): string };
}

const { TextEncoder, TextDecoder } = globalThis as unknown as PlatformCoders;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const tolerantDecoder = new TextDecoder('utf-8', { fatal: false });

export const encodeUtf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);

/** Throws a TypeError for bytes that are not UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Bytes that are not UTF-8 become U+FFFD. */
export const decodeAnyUtf8 = (bytes: Uint8Array): string => tolerantDecoder.decode(bytes);

/** `before`, `bytes` and `after` in one array. The texts must be ASCII. */
export function surroundBytes(before: string, bytes: Uint8Array, after: string): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(before.length + bytes.length + after.length);
  encoder.encodeInto(before, all);
  all.set(bytes, before.length);
  for (let i = 0; i < after.length; i++) all[before.length + bytes.length + i] = after.charCodeAt(i);
  return all;
}

/**
 * `texts[0]`, `parts[0]`, `texts[1]` and so on in one array. There is one more text than parts. One call encodes all
 * text.
 */
export function interleaveBytes(texts: readonly string[], parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const text = texts.join('');
  const encoded = encoder.encode(text);
  // In ASCII a character is a byte, so the offset of each text is known.
  const isAscii = encoded.length === text.length;
  const lengths = texts.map((each) => (isAscii ? each.length : encoder.encode(each).length));
  const all = new Uint8Array(encoded.length + parts.reduce((total, part) => total + part.length, 0));
  let from = 0;
  let offset = 0;
  for (const [i, length] of lengths.entries()) {
    all.set(encoded.subarray(from, from + length), offset);
    from += length;
    offset += length;
    const part = parts[i];
    if (part === undefined) break;
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Writes ASCII `text` into `target` at `offset`. Returns the number of bytes. */
export function writeAscii(text: string, target: Uint8Array, offset: number): number {
  encoder.encodeInto(text, target.subarray(offset, offset + text.length));
  return text.length;
}

/** One array with all `parts` in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
