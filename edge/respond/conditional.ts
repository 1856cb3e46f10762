// Entity tags and If-None-Match (RFC 9110, sections 8.8.3 and 13.1.2).
import { murmur3 } from '../../shared/runtime/hash.ts';

/**
 * A strong tag for the first `limit` items of a list under `prefix` (ASCII), the part of the body that stands before them. The list's digest
 * comes with the list, so nothing hashes its bytes.
 */
export function makeEtag(digest: string, prefix: string, limit: number): string {
  return `"${digest}-${toHex(murmur3(prefix, 0x3c6ef372))}${toHex(murmur3(prefix, 0xa54ff53a))}-${limit}"`;
}

const toHex = (part: number): string => part.toString(16).padStart(8, '0');

/** Whether the caller already has the representation that `etag` names: weak comparison, as If-None-Match asks for. */
export function isNotModified(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return [...ifNoneMatch.matchAll(/"[\x21\x23-\x7e\x80-\xff]*"/g)].some(([tag]) => tag === etag);
}
