// `POST lists:read` on Node's own request and response, for speed (docs/decisions/0014). If memory has all lists, the
// request is answered in the turn in which its body ends, without a promise.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CancellationSource } from '../../shared/caching/cancellation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { type EarshotError, problemOf, toEarshotError } from '../../shared/wire/errors.ts';
import { LISTS_READ_PATH, type ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import type { ExpandLists } from '../items/expanded-lists.ts';
import type { ListReader } from '../lists/coalescing-reader.ts';
import type { ReadResult } from '../metrics/metrics.ts';
import { type AnswerDeps, insertRefusals, isAllShed, outcomeOf, sendLists, sendProblem } from './lists-read-answer.ts';
import { collectBody, isBodyShort, parseBody, parseDeadline, tooLarge } from './lists-read-body.ts';
import { makeProblemAnswer } from './problem.ts';
import type { VerifyCaller } from './verify-caller.ts';

export interface ListsRouteDeps extends AnswerDeps {
  readonly lists: ListReader;
  readonly expandLists: ExpandLists;
  readonly verifyCaller: VerifyCaller;
  /** Maximum milliseconds for one read. */
  readonly readTimeoutMs: number;
  /** Whether the request may be read. Called once per request, before its body is read. */
  readonly admit: () => boolean;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Called with the time from the end of the body to the answer, and with the outcome. */
  readonly observe: (ms: number, outcome: ReadResult) => void;
  /** Whole seconds after which a shed caller may retry. */
  readonly retryAfterSeconds: () => number;
  /** Called for each request with refused keys, with the reason. */
  readonly onRefused: (reason: string, request: IncomingMessage) => void;
  /** Called for each failed request. */
  readonly onError: (thrown: unknown, error: EarshotError, request: IncomingMessage) => void;
}

export type ListsRoute = (request: IncomingMessage, response: ServerResponse) => void;

/** A read that ends this much later than its deadline, in milliseconds, is counted: no caller waited for it. */
const LATE_MS = 10;

export const isListsRead = ({ method, url }: IncomingMessage): boolean => method === 'POST' && url === LISTS_READ_PATH;

export function createListsRoute(deps: ListsRouteDeps): ListsRoute {
  const { verifyCaller, clock, admit, observe } = deps;
  return (request, response) => {
    if (!admit()) {
      observe(0, 'shed');
      sendOverloaded(deps, request, response, isBodyShort(request));
      return;
    }
    collectBody(request, (body) => {
      const exchange: Exchange = { request, response, startedAtMs: clock.monotonicNow() };
      if (body === undefined) sendFailure(deps, exchange, tooLarge());
      else if (verifyCaller.isKnown(request.headers.authorization)) serve(deps, exchange, body);
      else void verifyAndServe(deps, exchange, body);
    });
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** When the body had arrived. */
  readonly startedAtMs: number;
}

async function verifyAndServe(deps: ListsRouteDeps, exchange: Exchange, body: string): Promise<void> {
  try {
    await deps.verifyCaller(exchange.request.headers.authorization);
  } catch (thrown) {
    sendFailure(deps, exchange, thrown);
    return;
  }
  serve(deps, exchange, body);
}

function serve(deps: ListsRouteDeps, exchange: Exchange, body: string): void {
  try {
    const results = read(deps, exchange, body);
    if (results instanceof Promise) {
      results.then(
        (late) => late && sendResults(deps, exchange, late),
        (thrown) => sendFailure(deps, exchange, thrown),
      );
    } else sendResults(deps, exchange, results);
  } catch (thrown) {
    sendFailure(deps, exchange, thrown);
  }
}

/** The results, without a promise if memory has them all. Undefined if the caller cancelled. May throw or reject. */
function read(
  deps: ListsRouteDeps,
  { request, response }: Exchange,
  body: string,
): readonly ListResult[] | Promise<readonly ListResult[] | undefined> {
  const { lists, readTimeoutMs, counters } = deps;
  const timeoutMs = Math.min(readTimeoutMs, parseDeadline(request) ?? readTimeoutMs);
  const { queries, refused, reason } = parseBody(body);
  counters.add('origin_reads_total', queries.length);
  const results = lists.getCached(queries) ?? readWithin(deps, queries, timeoutMs, response);
  if (refused.length === 0) return results;
  deps.onRefused(reason ?? '', request);
  return results instanceof Promise
    ? results.then((all) => all && insertRefusals(all, refused))
    : insertRefusals(results, refused);
}

async function readWithin(
  { lists, expandLists, clock, counters }: ListsRouteDeps,
  queries: readonly ListQuery[],
  timeoutMs: number,
  response: ServerResponse,
): Promise<readonly ListResult[] | undefined> {
  const untilMs = clock.monotonicNow() + timeoutMs;
  const cancellation = new CancellationSource();
  const cancel = (): void => cancellation.cancel();
  if (response.destroyed) cancel();
  response.once('close', cancel);
  try {
    const results = await lists.read(queries, timeoutMs, cancellation);
    if (cancellation.isCancelled()) return undefined;
    const expanded = await expandLists(queries, results, Math.max(1, untilMs - clock.monotonicNow()), cancellation);
    return cancellation.isCancelled() ? undefined : expanded;
  } finally {
    response.removeListener('close', cancel);
    if (clock.monotonicNow() > untilMs + LATE_MS) counters.add('origin_late_total');
  }
}

function sendResults(deps: ListsRouteDeps, exchange: Exchange, results: readonly ListResult[]): void {
  const { request, response, startedAtMs } = exchange;
  const outcome = outcomeOf(results);
  deps.observe(deps.clock.monotonicNow() - startedAtMs, outcome);
  if (outcome === 'shed' && isAllShed(results)) sendOverloaded(deps, request, response);
  else sendLists(deps, request, response, results);
}

function sendFailure(deps: ListsRouteDeps, { request, response, startedAtMs }: Exchange, thrown: unknown): void {
  const error = toEarshotError(thrown, 'origin');
  if (problemOf(error.code).status < 500) {
    const answer = makeProblemAnswer(error.code, error.message);
    sendProblem(deps, request, response, answer, error.code !== 'payload_too_large');
    return;
  }
  deps.observe(deps.clock.monotonicNow() - startedAtMs, error.code === 'deadline_exceeded' ? 'deadline' : 'error');
  deps.onError(thrown, error, request);
  sendProblem(deps, request, response, makeProblemAnswer(error.code));
}

function sendOverloaded(
  deps: ListsRouteDeps,
  request: IncomingMessage,
  response: ServerResponse,
  keepAlive = true,
): void {
  const answer = makeProblemAnswer('overloaded', undefined, deps.retryAfterSeconds());
  sendProblem(deps, request, response, answer, keepAlive);
}
