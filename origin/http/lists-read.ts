// `POST lists:read` on Node's own request and response, for speed (docs/decisions/0014). No body is read before its
// caller is known. If memory has all lists, the request is answered in the turn in which its body ends, without a
// promise.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CancellationSource } from '../../shared/caching/cancellation.ts';
import type { ByteAccount } from '../../shared/runtime/byte-account.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { DEADLINE_HEADER, readDeadlineMs } from '../../shared/wire/deadline.ts';
import { EarshotError, problemOf, toEarshotError } from '../../shared/wire/errors.ts';
import { refuseBody } from '../../shared/wire/json-body.ts';
import { RESIDENCE_HEADER } from '../../shared/wire/message-version.ts';
import { LISTS_READ_PATH, type ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import type { ExpandLists } from '../items/expanded-lists.ts';
import type { ListReader } from '../lists/coalescing-reader.ts';
import type { ReadResult } from '../metrics/metrics.ts';
import { currentTrace, type OpenTrace, runPlainly } from '../tracing/request-trace.ts';
import { type AnswerDeps, insertRefusals, isAllShed, outcomeOf, sendLists, sendProblem } from './lists-read-answer.ts';
import { collectBody, isBodyShort, parseBody, tooLarge, tooSlow } from './lists-read-body.ts';
import { overloadedAnswer, problemOfError } from './problem.ts';
import type { VerifyCaller } from './verify-caller.ts';

export interface ListsRouteDeps extends AnswerDeps {
  readonly lists: ListReader;
  readonly expandLists: ExpandLists;
  readonly verifyCaller: VerifyCaller;
  /** Default: no request is recorded. */
  readonly openTrace?: OpenTrace;
  /** Maximum milliseconds for one read. */
  readonly readTimeoutMs: number;
  /** Whether the request may be read. Called once per request, before its body is read. */
  readonly admit: () => boolean;
  /** The account of the bodies that are arriving. */
  readonly bodyMemory: ByteAccount;
  /** Called for each request that was shed because `bodyMemory` had no room for its body. */
  readonly onBodyShed: () => void;
  readonly counters: Counters;
  /** Called with the header RESIDENCE_HEADER of each call of a known caller. Default: nothing. */
  readonly onResidence?: (header: string | string[] | undefined) => void;
  /** Called with the time from the end of the body to the answer, and with the outcome. */
  readonly observe: (ms: number, outcome: ReadResult) => void;
  /** Whole seconds after which a shed caller may retry. */
  readonly retryAfterSeconds: () => number;
  /** Called for each request with refused keys. `refused` names their fields, and no received value. */
  readonly onRefused: (refused: readonly string[], request: IncomingMessage) => void;
  /** Called for each failed request, and for each caller without a valid token. */
  readonly onError: (thrown: unknown, error: EarshotError, request: IncomingMessage) => void;
}

export type ListsRoute = (request: IncomingMessage, response: ServerResponse) => void;

/** Node's names of headers are in lower case. */
const RESIDENCE_FIELD = RESIDENCE_HEADER.toLowerCase();

/** A read that ends this much later than its deadline, in milliseconds, is counted: no caller waited for it. */
const LATE_MS = 10;

export const isListsRead = ({ method, url }: IncomingMessage): boolean => method === 'POST' && url === LISTS_READ_PATH;

export function createListsRoute(deps: ListsRouteDeps): ListsRoute {
  const { verifyCaller, admit, observe } = deps;
  return (request, response) => {
    const isKnown = verifyCaller.isKnown(request.headers.authorization);
    if (!admit()) {
      observe(0, 'shed');
      sendOverloaded(deps, request, response, isKnown && isBodyShort(request));
    } else if (isKnown) receive(deps, request, response);
    else void verifyAndReceive(deps, request, response);
  };
}

/** A call of the edge, from the moment at which its caller is known. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Maximum milliseconds for the body and the read together. */
  readonly timeoutMs: number;
  /** When the head had arrived. */
  readonly arrivedAtMs: number;
  /** When the body had arrived. */
  startedAtMs: number;
}

async function verifyAndReceive(
  deps: ListsRouteDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await deps.verifyCaller(request.headers.authorization);
  } catch (thrown) {
    const error = toEarshotError(thrown, 'origin');
    deps.onError(thrown, error, request);
    // Without a valid token no connection stays open, and nothing of the body is kept.
    sendProblem(deps, request, response, problemOfError(error), false);
    return;
  }
  receive(deps, request, response);
}

/** Reads the body of a known caller. */
function receive(deps: ListsRouteDeps, request: IncomingMessage, response: ServerResponse): void {
  const { clock, readTimeoutMs, bodyMemory: memory } = deps;
  deps.onResidence?.(request.headers[RESIDENCE_FIELD]);
  const nowMs = clock.monotonicNow();
  const inTrace = deps.openTrace?.(request, response) ?? runPlainly;
  const exchange = { request, response, timeoutMs: readTimeoutMs, arrivedAtMs: nowMs, startedAtMs: nowMs };
  try {
    requirePlainJson(request);
    exchange.timeoutMs = Math.min(readTimeoutMs, readDeadlineMs(deadlineOf(request), 'origin') ?? readTimeoutMs);
  } catch (thrown) {
    sendFailure(deps, exchange, thrown);
    return;
  }
  collectBody(request, {
    memory,
    clock,
    timeoutMs: exchange.timeoutMs,
    onBody: (body) => {
      exchange.startedAtMs = clock.monotonicNow();
      inTrace(() => serve(deps, exchange, body));
    },
    onFailure: (reason) => {
      if (reason === 'too_large') sendFailure(deps, exchange, tooLarge());
      else if (reason === 'too_slow') sendFailure(deps, exchange, tooSlow());
      else {
        deps.onBodyShed();
        deps.observe(0, 'shed');
        sendOverloaded(deps, request, response, false);
      }
    },
  });
}

/** Throws `unsupported_media_type`. */
function requirePlainJson({ headers }: IncomingMessage): void {
  const refusal = refuseBody(headers['content-type'], headers['content-encoding']);
  if (refusal === undefined) return;
  throw new EarshotError('unsupported_media_type', 'origin', refusal.message, { headers: refusal.headers });
}

/** Node joins a repeated header, and no such text is a deadline. */
const deadlineOf = ({ headers }: IncomingMessage): string | undefined => headers[DEADLINE_HEADER]?.toString();

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
  { request, response, timeoutMs, arrivedAtMs, startedAtMs }: Exchange,
  body: string,
): readonly ListResult[] | Promise<readonly ListResult[] | undefined> {
  const { lists, counters } = deps;
  const leftMs = timeoutMs - (startedAtMs - arrivedAtMs);
  if (leftMs <= 0) throw tooSlow();
  const { queries, refused, refusedFields = [] } = parseBody(body);
  counters.add('origin_reads_total', queries.length);
  currentTrace()?.describe({ 'earshot.keys': queries.length });
  const results = lists.getCached(queries) ?? readWithin(deps, queries, leftMs, response);
  if (refused.length === 0) return results;
  deps.onRefused(refusedFields, request);
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
  if (problemOf(error.code).status >= 500) {
    deps.observe(deps.clock.monotonicNow() - startedAtMs, error.code === 'deadline_exceeded' ? 'deadline' : 'error');
    deps.onError(thrown, error, request);
  }
  const isReadToEnd = request.complete || (isBodyShort(request) && error.code !== 'deadline_exceeded');
  sendProblem(deps, request, response, problemOfError(error), isReadToEnd);
}

function sendOverloaded(
  deps: ListsRouteDeps,
  request: IncomingMessage,
  response: ServerResponse,
  keepAlive = true,
): void {
  sendProblem(deps, request, response, overloadedAnswer(deps.retryAfterSeconds()), keepAlive);
}
