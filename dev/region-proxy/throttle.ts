// Limits a stream of bytes to a rate: an answer that starts immediately and takes long to end.
import { type Clock, pause } from '../../shared/runtime/clock.ts';

const PIECES_PER_SECOND = 10;

/** `source` at `bytesPerSecond`, in ten pieces per second or one byte at a time. */
export async function* throttle(
  source: AsyncIterable<Uint8Array>,
  bytesPerSecond: number,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  const pieceBytes = Math.max(1, Math.floor(bytesPerSecond / PIECES_PER_SECOND));
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length; from += pieceBytes) {
      const piece = chunk.subarray(from, from + pieceBytes);
      await pause(clock, (1000 * piece.length) / bytesPerSecond);
      yield piece;
    }
  }
}
