// Lines of text as a stream. Memory is bounded by one chunk and the longest line. A line that is too long, or not
// UTF-8, is broken.
import { isUtf8 } from 'node:buffer';
import type { Line } from './line.ts';

/** A list of 100 items with the longest ids is below 20 kB. */
export const MAX_LINE_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;
const SHOWN_BYTES = 1024;

/** Yields the non-blank lines in groups, without line ends. Throws the error of `chunks`. */
export async function* readJsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
  let number = 0;
  let rest: Buffer[] = [];
  let restBytes = 0;
  let isSkipping = false;

  function takeLine(end: Buffer): Line | undefined {
    const bytes = rest.length === 0 ? end : Buffer.concat([...rest, end]);
    const wasSkipping = isSkipping;
    rest = [];
    restBytes = 0;
    isSkipping = false;
    number++;
    if (wasSkipping || bytes.length > MAX_LINE_BYTES) {
      const text = bytes.toString('utf8', 0, SHOWN_BYTES);
      return { number, text, broken: `expected a line of at most ${MAX_LINE_BYTES} bytes, got a longer one` };
    }
    const text = bytes.toString('utf8').trim();
    if (text === '') return undefined;
    return isUtf8(bytes) ? { number, text } : { number, text, broken: 'expected UTF-8, got other bytes' };
  }

  function keep(bytes: Buffer): void {
    if (isSkipping) return;
    rest.push(bytes);
    restBytes += bytes.length;
    if (restBytes <= MAX_LINE_BYTES) return;
    isSkipping = true;
    rest = [Buffer.from(Buffer.concat(rest).subarray(0, SHOWN_BYTES))];
  }

  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = takeLine(chunk.subarray(start, end));
      if (line !== undefined) lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) {
    const last = takeLine(Buffer.alloc(0));
    if (last !== undefined) yield [last];
  }
}
