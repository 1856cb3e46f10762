// The bound of one answer of `lists:read` in bytes. The largest lists are left out first, so that a caller of large
// lists does not cost its neighbours in a batch theirs. The edge reads the rest with another call.
import { bytesOfResult, type ListResult, MAX_FRAMES_BYTES } from './read-response.ts';

/** Headers of frames are short, and are not counted. */
const MAX_LISTS_BYTES = MAX_FRAMES_BYTES / 2;

/** `results` with an error in place of each list beyond `maxBytes`. One list is always in the answer. */
export function boundResults(results: readonly ListResult[], maxBytes = MAX_LISTS_BYTES): readonly ListResult[] {
  const total = results.reduce((bytes, result) => bytes + bytesOfResult(result), 0);
  if (total <= maxBytes) return results;
  const smallestFirst = results
    .map((result, i) => ({ i, bytes: bytesOfResult(result) }))
    .sort((a, b) => a.bytes - b.bytes);
  const leftOut = new Set<number>();
  let bytes = 0;
  for (const each of smallestFirst) {
    if (bytes > 0 && bytes + each.bytes > maxBytes) leftOut.add(each.i);
    else bytes += each.bytes;
  }
  return results.map((result, i) => (leftOut.has(i) ? { kind: 'error', code: 'answer_too_large' } : result));
}
