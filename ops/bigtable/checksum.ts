// The checksum of a load: a sum over its cells, so neither their order nor the number of loads matters.
import { crc32 } from 'node:zlib';

const WORD = 2 ** 32;

export const NO_CHECKSUM = '0'.repeat(16);

/** Of one cell: CRC-32 of the list, and of row key and list. */
export function checksumOf(rowKey: string, value: string | Buffer): readonly [number, number] {
  const own = crc32(value);
  return [own, crc32(rowKey, own)];
}

export const formatChecksum = (words: readonly [number, number]): string =>
  words.map((word) => (word % WORD).toString(16).padStart(8, '0')).join('');

/** 16 hex digits. */
export function addChecksums(a: string, b: string): string {
  const wordOf = (text: string, at: number): number => Number.parseInt(text.slice(at, at + 8), 16);
  return formatChecksum([wordOf(a, 0) + wordOf(b, 0), wordOf(a, 8) + wordOf(b, 8)]);
}
