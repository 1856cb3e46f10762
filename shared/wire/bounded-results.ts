// The bound of one answer of `lists:read` in bytes. The largest lists are left out first, so that a caller of large
// lists does not cost its neighbours in a batch theirs. The edge reads the rest with another call.
import { bytesOfResult, type ListResult, MAX_FRAMES_BYTES } from './read-response.ts';

/** Headers of frames are short, and are not counted. */
const MAX_LISTS_BYTES = MAX_FRAMES_BYTES / 2;

/** `results` with an error in place of each list beyond `maxBytes`. One list is always in the answer. */
export function boundResults(results: readonly ListResult[], maxBytes = MAX_LISTS_BYTES): readonly ListResult[] {
  const leftOut = chooseLeftOut(results.map(bytesOfResult), maxBytes);
  return leftOut.size === 0 ? results : results.map((result, i) => (leftOut.has(i) ? TOO_LARGE : result));
}

/** The positions of the lists beyond `maxBytes`, by the bytes of each. */
export function chooseLeftOut(sizes: readonly number[], maxBytes = MAX_LISTS_BYTES): ReadonlySet<number> {
  const leftOut = new Set<number>();
  if (sizes.reduce((sum, bytes) => sum + bytes, 0) <= maxBytes) return leftOut;
  const smallestFirst = sizes.map((bytes, i) => ({ i, bytes })).sort((a, b) => a.bytes - b.bytes);
  let bytes = 0;
  for (const each of smallestFirst) {
    if (bytes > 0 && bytes + each.bytes > maxBytes) leftOut.add(each.i);
    else bytes += each.bytes;
  }
  return leftOut;
}

export const TOO_LARGE = { kind: 'error', code: 'answer_too_large' } as const satisfies ListResult;
