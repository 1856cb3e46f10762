// `POST lists:read`, on Node's own request and response: nearly all that an origin is asked. What is in memory is answered in the turn in which
// the body's end arrives, without a promise; a Hono route with its web streams would take four times as long (docs/decisions/0014).
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CancellationSource } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { CounterName, Counters } from '../../shared/runtime/counters.ts';
import { EarshotError, problemOf, toEarshotError } from '../../shared/wire/errors.ts';
import {
  DEADLINE_HEADER,
  LISTS_READ_PATH,
  type ListQuery,
  parseListsRead,
  SERVED_BY_HEADER,
} from '../../shared/wire/read-request.ts';
import {
  encodeListFrames,
  LIST_FRAMES_TYPE,
  type ListResult,
  listFramesText,
} from '../../shared/wire/read-response.ts';
import type { ExpandLists } from '../items/expanded-lists.ts';
import type { ListReader } from '../lists/coalescing-reader.ts';
import type { ReadResult } from '../metrics/metrics.ts';
import { makeProblem, type Problem } from './problem.ts';
import type { VerifyCaller } from './verify-caller.ts';

export interface ListsRouteDeps {
  readonly lists: ListReader;
  readonly expandLists: ExpandLists;
  readonly verifyCaller: VerifyCaller;
  /** The most time that one read may take, in ms. */
  readonly readTimeoutMs: number;
  /** Asked once for each request, before it is read: whether it is refused as it is. */
  readonly isRefusedUnread: () => boolean;
  readonly isDraining: () => boolean;
  /** Whether the cluster of this region is read; an answer says so when it is not. */
  readonly isLocalClusterUp: () => boolean;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Counts the keys. */
  readonly counter: CounterName;
  /** Told how long each request took from the end of its body on, and what came of it. */
  readonly observe: (ms: number, outcome: ReadResult) => void;
  /** When whoever was refused may come again with some hope, in whole seconds. */
  readonly retryAfterSeconds: () => number;
  /** Told of what failed, with what was thrown. */
  readonly onError: (thrown: unknown, error: EarshotError, request: IncomingMessage) => void;
}

export type ListsRoute = (request: IncomingMessage, response: ServerResponse) => void;

/** 200 keys of 128-byte ids, each with its surface and variant, are below 60 kB. */
export const MAX_BODY_BYTES = 128 * 1024;
/** Work that goes on for longer than this after its deadline is counted: it was for nobody. */
const LATE_MS = 10;
/** Of lists in an answer that leaves as text: in one piece with its header, which Node writes from its stack as long as it is below 16 kB. */
const MAX_TEXT_BYTES = 15_000;

export const isListsRead = ({ method, url }: IncomingMessage): boolean => method === 'POST' && url === LISTS_READ_PATH;

export function createListsRoute(deps: ListsRouteDeps): ListsRoute {
  const { lists, expandLists, verifyCaller, readTimeoutMs, isDraining, clock, counters, counter, observe } = deps;
  const { retryAfterSeconds, onError, isRefusedUnread, isLocalClusterUp } = deps;

  /** The results, at once when memory has them all; undefined when the caller has gone. Throws or rejects with an EarshotError. */
  function read(
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
  ): readonly ListResult[] | Promise<readonly ListResult[] | undefined> {
    const timeoutMs = Math.min(readTimeoutMs, parseDeadline(request.headers[DEADLINE_HEADER]) ?? readTimeoutMs);
    const asks = parseBody(body);
    counters.add(counter, asks.length);
    return lists.readHeld(asks) ?? readWithin(asks, timeoutMs, response);
  }

  async function readWithin(
    asks: readonly ListQuery[],
    timeoutMs: number,
    response: ServerResponse,
  ): Promise<readonly ListResult[] | undefined> {
    const untilMs = clock.monotonicNow() + timeoutMs;
    const cancellation = new CancellationSource();
    const leave = (): void => cancellation.cancel();
    if (response.destroyed) leave();
    response.once('close', leave);
    try {
      const results = await lists.read(asks, timeoutMs, cancellation);
      if (cancellation.isCancelled()) return undefined;
      const expanded = await expandLists(asks, results, Math.max(1, untilMs - clock.monotonicNow()), cancellation);
      return cancellation.isCancelled() ? undefined : expanded;
    } finally {
      response.removeListener('close', leave);
      if (clock.monotonicNow() > untilMs + LATE_MS) counters.add('origin_late_total');
    }
  }

  function answer(response: ServerResponse, results: readonly ListResult[], startedAtMs: number): void {
    const outcome = outcomeOf(results);
    observe(clock.monotonicNow() - startedAtMs, outcome);
    if (outcome === 'shed' && results.every((result) => result.kind === 'error' && result.code === 'overloaded')) {
      send(response, makeProblem('overloaded', undefined, retryAfterSeconds()));
      return;
    }
    const body = isShort(results) ? listFramesText(results, latin1Of) : encodeListFrames(results, Buffer.allocUnsafe);
    const headers = { 'Content-Type': LIST_FRAMES_TYPE, 'Content-Length': body.length };
    response.writeHead(200, headersOf(isLocalClusterUp() ? headers : { ...headers, [SERVED_BY_HEADER]: 'any' }));
    response.end(body, 'latin1');
  }

  function refuse(request: IncomingMessage, response: ServerResponse, thrown: unknown, startedAtMs: number): void {
    const error = toEarshotError(thrown, 'origin');
    if (problemOf(error.code).status < 500) {
      send(response, makeProblem(error.code, error.message), error.code !== 'payload_too_large');
      return;
    }
    observe(clock.monotonicNow() - startedAtMs, error.code === 'deadline_exceeded' ? 'deadline' : 'error');
    onError(thrown, error, request);
    send(response, makeProblem(error.code));
  }

  /** What is left of a body that is short is taken and let go; a connection with a long one is not kept. */
  function send(response: ServerResponse, { status, headers, body }: Problem, isKept = true): void {
    response.writeHead(status, headersOf({ ...headers, 'Content-Length': Buffer.byteLength(body) }, isKept));
    response.end(body);
  }

  /** A caller's kept-alive connection outlives the listening socket: it would bring new requests until the drain's end cuts them off. */
  const headersOf = (headers: Record<string, string | number>, isKept = true) =>
    isDraining() || !isKept ? { ...headers, Connection: 'close' } : headers;

  return (request, response) => {
    if (isRefusedUnread()) {
      observe(0, 'shed');
      send(response, makeProblem('overloaded', undefined, retryAfterSeconds()), isBodyShort(request));
      return;
    }
    const serve = async (body: string, startedAtMs: number): Promise<void> => {
      try {
        await verifyCaller(request.headers.authorization);
        const results = await read(request, response, body);
        if (results !== undefined) answer(response, results, startedAtMs);
      } catch (thrown) {
        refuse(request, response, thrown, startedAtMs);
      }
    };
    const serveKnown = (body: string, startedAtMs: number): void => {
      try {
        const results = read(request, response, body);
        if (results instanceof Promise) {
          results.then(
            (late) => late && answer(response, late, startedAtMs),
            (thrown) => refuse(request, response, thrown, startedAtMs),
          );
        } else answer(response, results, startedAtMs);
      } catch (thrown) {
        refuse(request, response, thrown, startedAtMs);
      }
    };
    collectBody(request, (body) => {
      const startedAtMs = clock.monotonicNow();
      if (body === undefined) refuse(request, response, tooLarge(), startedAtMs);
      else if (verifyCaller.isKnown(request.headers.authorization)) serveKnown(body, startedAtMs);
      else void serve(body, startedAtMs);
    });
  };
}

const isBodyShort = ({ headers }: IncomingMessage): boolean => Number(headers['content-length']) <= MAX_BODY_BYTES;

const isShort = (results: readonly ListResult[]): boolean =>
  results.reduce((bytes, result) => bytes + (result.kind === 'list' ? result.bytes.length : 0), 0) <= MAX_TEXT_BYTES;

const latin1Of = (bytes: Uint8Array): string =>
  (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('latin1');

/** What the first key that failed says of the whole. */
function outcomeOf(results: readonly ListResult[]): ReadResult {
  const failed = results.find((result) => result.kind === 'error');
  if (failed?.kind !== 'error') return 'ok';
  if (failed.code === 'overloaded') return 'shed';
  return failed.code === 'deadline_exceeded' ? 'deadline' : 'error';
}

const tooLarge = () => new EarshotError('payload_too_large', 'origin', `expected at most ${MAX_BODY_BYTES} bytes`);

/** The body as text; undefined, and the rest of it unread, when it is longer than MAX_BODY_BYTES. Never called for a body that is cut off. */
function collectBody(request: IncomingMessage, done: (body: string | undefined) => void): void {
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
  // A caller who goes away in the middle of it is not answered.
  request.on('error', () => {});
}

function parseDeadline(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header)) {
    const message = `expected ${DEADLINE_HEADER} to be whole milliseconds, got ${JSON.stringify(header)}`;
    throw new EarshotError('invalid_request', 'origin', message);
  }
  if (Number(header) === 0) throw new EarshotError('deadline_exceeded', 'origin', 'the deadline had passed on arrival');
  return Number(header);
}

function parseBody(text: string): readonly ListQuery[] {
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
