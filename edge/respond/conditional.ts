// Entity tags and If-None-Match (RFC 9110, sections 8.8.3 and 13.1.2).
import { murmur3 } from '../../shared/runtime/hash.ts';

/**
 * A strong tag for the first `limit` items of a list behind `prefix` (ASCII), the body before the items. The origin
 * sends the list's digest, so no bytes are hashed here.
 */
export function makeEtag(digest: string, prefix: string, limit: number): string {
  return `"${digest}-${toHex(murmur3(prefix, 0x3c6ef372))}${toHex(murmur3(prefix, 0xa54ff53a))}-${limit}"`;
}

const toHex = (part: number): string => part.toString(16).padStart(8, '0');

/** Whether the caller has the representation of `etag`. If-None-Match compares weakly. */
export function isNotModified(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return [...ifNoneMatch.matchAll(/"[\x21\x23-\x7e\x80-\xff]*"/g)].some(([tag]) => tag === etag);
}
