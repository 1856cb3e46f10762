// If-None-Match (RFC 9110, section 13.1.2), for every answer with an entity tag, at the edge and at origins.

/** A list of entity tags (sections 8.8.3 and 5.6.1): empty elements are allowed, anything else between tags is not. */
const TAG_LIST = /^[\t ,]*(?:(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"[\t ]*(?:,[\t ,]*|$))+$/;
const OPAQUE_TAG = /"[\x21\x23-\x7e\x80-\xff]*"/g;

/**
 * Whether the caller of a GET or HEAD has the representation of `etag`: the answer is 304. Tags are compared weakly. A
 * header that is not a list of tags counts as absent: 200 is always right.
 */
export function isNotModified(ifNoneMatch: string | null | undefined, etag: string): boolean {
  if (ifNoneMatch === null || ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  if (!TAG_LIST.test(ifNoneMatch)) return false;
  const opaque = etag.replace(/^W\//, '');
  return [...ifNoneMatch.matchAll(OPAQUE_TAG)].some(([tag]) => tag === opaque);
}
