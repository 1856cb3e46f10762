// Answers that are too large to be forgotten once they are made. The runtime keeps a body until the caller has read it,
// and does not tell when that is. So a large body is a stream: its lists stay shared and are sent in blocks, and
// its bytes are accounted for until the caller has them or has gone.
import type { ByteAccount } from '../../shared/runtime/byte-account.ts';
import { concatBytes, encodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';

/**
 * Bodies from here on are streams: a batch of 100 plain lists is smaller, and a stream would cost it a quarter more.
 */
export const LARGE_ANSWER_BYTES = 262_144;
/** The runtime reports a caller that has gone with the next block, never in the middle of one. */
const BLOCK_BYTES = 65_536;
/** A caller that reads slower than this loses the rest of its answer. */
export const MAX_SEND_MS = 30_000;

/** A body: `texts[0]`, `lists[0]`, `texts[1]` and so on, with one more text than lists. */
export interface Content {
  readonly texts: readonly string[];
  readonly lists: readonly Uint8Array[];
}

interface LargeAnswerDeps {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly inFlight: ByteAccount;
}

/** Throws `overloaded` if too many bytes are in memory. `waitUntil` holds the sending. */
export type RespondLarge = (
  content: Content,
  headers: HeadersInit,
  waitUntil: (work: Promise<unknown>) => void,
) => Response;

export function createRespondLarge({ clock, counters, inFlight }: LargeAnswerDeps): RespondLarge {
  return ({ texts, lists }, headers, waitUntil) => {
    const encoded = texts.map(encodeUtf8);
    const textBytes = lengthOf(encoded);
    const hold = inFlight.open();
    if (!hold.tryAdd(textBytes + sharedBytesOf(lists))) {
      counters.add('edge_large_answers_shed_total');
      throw new EarshotError('overloaded', 'edge', 'too many bytes of answers and loads are in memory');
    }
    const { readable, writable } = new FixedLengthStream(textBytes + lengthOf(lists));
    waitUntil(send(writable, blocksOf(encoded, lists), clock).finally(hold.release));
    return new Response(readable, { headers });
  };
}

/** `remedy` is what a caller can do about it. */
export const makeTooLarge = (maxBytes: number, remedy: string): EarshotError =>
  new EarshotError('answer_too_large', 'edge', `expected at most ${maxBytes} bytes in one answer: ${remedy}`);

/** Never rejects: a caller that has gone is no failure. */
async function send(writable: WritableStream, blocks: Iterable<Uint8Array>, clock: Clock): Promise<void> {
  const writer = writable.getWriter();
  const abort = (): void => void writer.abort(new Error('the caller reads too slowly')).catch(() => undefined);
  const cancelTimer = clock.setTimeout(abort, MAX_SEND_MS);
  try {
    for (const block of blocks) await writer.write(block);
    await writer.close();
  } catch {
    // The rest of the blocks is never made.
  } finally {
    cancelTimer();
  }
}

/**
 * Short parts are joined, because each write costs the runtime as much as a copy of them. Long lists are views: copies
 * of 50 answers would leave 400 MB of garbage.
 */
function* blocksOf(texts: readonly Uint8Array[], lists: readonly Uint8Array[]): Generator<Uint8Array> {
  let short: Uint8Array[] = [];
  let shortBytes = 0;
  for (const part of texts.flatMap((text, i) => [text, lists[i] ?? EMPTY])) {
    const isLong = part.length >= BLOCK_BYTES;
    if (shortBytes > 0 && (isLong || shortBytes + part.length > BLOCK_BYTES)) {
      yield concatBytes(short);
      short = [];
      shortBytes = 0;
    }
    if (isLong) yield* slicesOf(part);
    else {
      short.push(part);
      shortBytes += part.length;
    }
  }
  if (shortBytes > 0) yield concatBytes(short);
}

function* slicesOf(part: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < part.length; from += BLOCK_BYTES) yield part.subarray(from, from + BLOCK_BYTES);
}

const EMPTY = new Uint8Array();

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((total, { length }) => total + length, 0);

/** Equal reads have the same list, and a shorter list is a view of the longer one. */
const sharedBytesOf = (lists: readonly Uint8Array[]): number =>
  [...new Set(lists.map(({ buffer }) => buffer))].reduce((total, { byteLength }) => total + byteLength, 0);
