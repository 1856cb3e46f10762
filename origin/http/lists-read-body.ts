// The body of `POST lists:read`: it arrives within a time and within bounds of memory, or it is dropped.
import type { IncomingMessage } from 'node:http';
import type { ByteAccount } from '../../shared/runtime/byte-account.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { type ParsedListsRead, parseListsRead } from '../../shared/wire/read-request.ts';

/** 200 keys of 128-byte ids, each with its surface and variant, have less than 60 kB. */
export const MAX_BODY_BYTES = 128 * 1024;
/** Maximum bytes of all bodies under way in a process: 256 of the largest bodies, or thousands of usual ones. */
export const MAX_BYTES_UNDER_WAY = 32 * 1024 * 1024;

export const isBodyShort = ({ headers }: IncomingMessage): boolean =>
  Number(headers['content-length']) <= MAX_BODY_BYTES;

export type BodyFailure = 'too_large' | 'too_slow' | 'no_memory';

interface CollectOptions {
  /** The account of all bodies under way. */
  readonly memory: ByteAccount;
  readonly clock: Clock;
  /** Maximum milliseconds until the end of the body. */
  readonly timeoutMs: number;
  readonly onBody: (body: string) => void;
  /** Called at most once, and then not onBody. The rest of the body is dropped. */
  readonly onFailure: (reason: BodyFailure) => void;
}

/** A body that the caller cuts off is dropped, and nothing is called. */
export function collectBody(request: IncomingMessage, options: CollectOptions): void {
  const { memory, clock, timeoutMs, onBody, onFailure } = options;
  let chunks: Buffer[] | undefined = [];
  let bytes = 0;
  const held = memory.open();
  let cancelTimer: (() => void) | undefined;
  const drop = (): void => {
    held.release();
    chunks = undefined;
    cancelTimer?.();
  };
  const fail = (reason: BodyFailure): void => {
    drop();
    onFailure(reason);
  };
  request.on('data', (chunk: Buffer) => {
    if (chunks === undefined) return;
    if (bytes + chunk.length > MAX_BODY_BYTES) fail('too_large');
    else if (held.tryAdd(chunk.length)) {
      bytes += chunk.length;
      chunks.push(chunk);
    } else fail('no_memory');
  });
  request.on('end', () => {
    if (chunks === undefined) return;
    const [first] = chunks;
    const body = chunks.length === 1 && first !== undefined ? first.toString() : Buffer.concat(chunks).toString();
    drop();
    onBody(body);
  });
  // A caller that disconnects gets no answer.
  request.on('error', drop);
  // Nearly every body arrives together with its head, and needs no timer.
  process.nextTick(() => {
    if (!request.complete && chunks !== undefined) cancelTimer = clock.setTimeout(() => fail('too_slow'), timeoutMs);
  });
}

export const tooLarge = (): EarshotError =>
  new EarshotError('payload_too_large', 'origin', `expected at most ${MAX_BODY_BYTES} bytes`);

export const tooSlow = (): EarshotError =>
  new EarshotError('deadline_exceeded', 'origin', 'the deadline passed before the body had arrived');

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
