// MurmurHash3 (x86, 32 bits), the one hash of row keys, variants and ramps. Its values are stored in Bigtable and
// choose listeners' variants, so they must never change: hash.test.ts holds published vectors. Ids are ASCII (ids.ts),
// so a character is a byte. Source: A. Appleby, SMHasher, MurmurHash3.cpp.
const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** 32-bit unsigned hash of `text`. All characters must be below U+0100; each counts as one byte. */
export function murmur3(text: string, seed = 0): number {
  const { length } = text;
  const blocksEnd = length - (length % 4);
  let h = seed | 0;
  for (let i = 0; i < blocksEnd; i += 4) {
    const block =
      (text.charCodeAt(i) & 0xff) |
      ((text.charCodeAt(i + 1) & 0xff) << 8) |
      ((text.charCodeAt(i + 2) & 0xff) << 16) |
      ((text.charCodeAt(i + 3) & 0xff) << 24);
    h ^= mix(block);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = length - 1; i >= blocksEnd; i--) tail = (tail << 8) | (text.charCodeAt(i) & 0xff);
  if (blocksEnd < length) h ^= mix(tail);
  return finalize(h ^ length);
}

/** A number in (0, 1), never 0 or 1, uniform over texts: 53 bits of two murmur3 hashes with different seeds. */
export function unitHash(text: string): number {
  const high = murmur3(text, 0x9747b28c);
  const low = murmur3(text, 0x2f0b4c47) >>> 11;
  return (high * 2 ** 21 + low + 0.5) / (2 ** 53 + 1);
}

function mix(block: number): number {
  const k = Math.imul(block, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

function finalize(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
