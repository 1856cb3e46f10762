// The answer of `POST lists:read`: frames, or a problem.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../shared/runtime/clock.ts';
import { boundResults } from '../../shared/wire/bounded-results.ts';
import { SERVED_BY_HEADER } from '../../shared/wire/read-request.ts';
import {
  encodeListFrames,
  LIST_FRAMES_TYPE,
  type ListResult,
  listFramesText,
} from '../../shared/wire/read-response.ts';
import { asBuffer } from '../as-buffer.ts';
import type { ReadResult } from '../metrics/metrics.ts';
import type { OwnHeaders } from './own-headers.ts';
import type { ProblemAnswer } from './problem.ts';

/** Maximum bytes of lists in an answer that is sent as text: Node writes header and text below 16 kB in one piece. */
const MAX_TEXT_BYTES = 15_000;

/** After an early answer the rest of a body is dropped for up to this time, then the connection closes. */
export const LINGER_MS = 1_000;

export interface AnswerDeps {
  readonly clock: Clock;
  readonly ownHeaders: OwnHeaders;
  /** A draining process closes its connections: a kept-alive one would bring requests until the end of the drain. */
  readonly isDraining: () => boolean;
  /** Whether the cluster of this region is read. The answer says so if not. */
  readonly isLocalClusterUp: () => boolean;
}

export function sendLists(
  deps: AnswerDeps,
  request: IncomingMessage,
  response: ServerResponse,
  all: readonly ListResult[],
): void {
  const results = boundResults(all);
  const body = isShort(results) ? listFramesText(results, toLatin1) : encodeListFrames(results, Buffer.allocUnsafe);
  const headers = {
    ...deps.ownHeaders(request.headers),
    'Content-Type': LIST_FRAMES_TYPE,
    'Content-Length': body.length,
  };
  const withServedBy = deps.isLocalClusterUp() ? headers : { ...headers, [SERVED_BY_HEADER]: 'any' };
  response.writeHead(200, withConnection(withServedBy, !deps.isDraining()));
  response.end(body, 'latin1');
}

/** `keepAlive`: whether the connection stays, and the rest of a body is read and dropped. */
export function sendProblem(
  { isDraining, clock, ownHeaders }: AnswerDeps,
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: ProblemAnswer,
  keepAlive = true,
): void {
  const all = { ...ownHeaders(request.headers), ...headers, 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(status, withConnection(all, keepAlive && !isDraining()));
  if (keepAlive || request.complete) response.end(body);
  else endAfterBody(request, response, body, clock);
}

/**
 * Sends the whole answer at once, and closes the connection when the body has ended, or after LINGER_MS. A connection
 * that closes while its caller sends is reset, and the caller may then lose the answer.
 */
function endAfterBody(request: IncomingMessage, response: ServerResponse, body: string, clock: Clock): void {
  const end = (): void => {
    cancelTimer();
    response.end();
  };
  const cancelTimer = clock.setTimeout(end, LINGER_MS);
  request.once('end', end).once('error', end);
  response.once('close', cancelTimer).write(body);
  request.resume();
}

const withConnection = (headers: Record<string, string | number>, keepAlive: boolean) =>
  keepAlive ? headers : { ...headers, Connection: 'close' };

const isShort = (results: readonly ListResult[]): boolean =>
  results.reduce((bytes, result) => bytes + (result.kind === 'list' ? result.bytes.length : 0), 0) <= MAX_TEXT_BYTES;

const toLatin1 = (bytes: Uint8Array): string => asBuffer(bytes).toString('latin1');

/** `results` with a refusal at each of the positions `refused`, in ascending order. */
export function insertRefusals(results: readonly ListResult[], refused: readonly number[]): ListResult[] {
  const all = [...results];
  for (const position of refused) all.splice(position, 0, { kind: 'error', code: 'invalid_request' });
  return all;
}

/** The outcome of the first key that failed, if any. A refused key is the caller's mistake. */
export function outcomeOf(results: readonly ListResult[]): ReadResult {
  const failed = results.find((result) => result.kind === 'error' && result.code !== 'invalid_request');
  if (failed?.kind !== 'error') return 'ok';
  if (failed.code === 'overloaded') return 'shed';
  return failed.code === 'deadline_exceeded' ? 'deadline' : 'error';
}

export const isAllShed = (results: readonly ListResult[]): boolean =>
  results.every((result) => result.kind === 'error' && result.code === 'overloaded');
