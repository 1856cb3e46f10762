// The request of `POST lists:read`: its body and its deadline.
import type { IncomingMessage } from 'node:http';
import { EarshotError } from '../../shared/wire/errors.ts';
import { DEADLINE_HEADER, type ParsedListsRead, parseListsRead } from '../../shared/wire/read-request.ts';

/** 200 keys of 128-byte ids, each with its surface and variant, have less than 60 kB. */
export const MAX_BODY_BYTES = 128 * 1024;

export const isBodyShort = ({ headers }: IncomingMessage): boolean =>
  Number(headers['content-length']) <= MAX_BODY_BYTES;

/** Calls `done` with the body, or with undefined once it exceeds MAX_BODY_BYTES. A body that is cut off is dropped. */
export function collectBody(request: IncomingMessage, done: (body: string | undefined) => void): void {
  let chunks: Buffer[] | undefined = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    if (chunks === undefined) return;
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes <= MAX_BODY_BYTES) return;
    chunks = undefined;
    done(undefined);
  });
  request.on('end', () => {
    if (chunks !== undefined)
      done(chunks.length === 1 ? (chunks[0] as Buffer).toString() : Buffer.concat(chunks).toString());
  });
  // A caller that disconnects gets no answer.
  request.on('error', () => {});
}

export const tooLarge = (): EarshotError =>
  new EarshotError('payload_too_large', 'origin', `expected at most ${MAX_BODY_BYTES} bytes`);

/** Milliseconds that the caller has left; undefined without the header. Throws an EarshotError. */
export function parseDeadline({ headers }: IncomingMessage): number | undefined {
  const header = headers[DEADLINE_HEADER];
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header)) {
    const message = `expected ${DEADLINE_HEADER} to be whole milliseconds, got ${JSON.stringify(header)}`;
    throw new EarshotError('invalid_request', 'origin', message);
  }
  if (Number(header) === 0) throw new EarshotError('deadline_exceeded', 'origin', 'the deadline had passed on arrival');
  return Number(header);
}

/** Throws an EarshotError. */
export function parseBody(text: string): ParsedListsRead {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EarshotError('invalid_request', 'origin', 'expected a JSON body', { cause });
  }
  try {
    return parseListsRead(value);
  } catch (cause) {
    throw new EarshotError('invalid_request', 'origin', (cause as Error).message, { cause });
  }
}
