// Entity tags of lists (RFC 9110, section 8.8.3).
import { murmur3 } from '../../shared/runtime/hash.ts';

/**
 * A strong tag for the first `limit` items of a list behind `prefix` (ASCII), the body before the items. The origin
 * sends the list's digest, so no bytes are hashed here.
 */
export function makeEtag(digest: string, prefix: string, limit: number): string {
  return `"${digest}-${hashText(prefix)}-${limit}"`;
}

/** 16 hex digits of `text` (ASCII). */
export const hashText = (text: string): string => toHex(murmur3(text, 0x3c6ef372)) + toHex(murmur3(text, 0xa54ff53a));

const toHex = (part: number): string => part.toString(16).padStart(8, '0');
