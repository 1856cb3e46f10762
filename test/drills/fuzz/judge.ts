// The judgement of one answer. It knows the request and Earshot's promises, and nothing of the code that answered.
import { MAX_HEADER_BYTES } from '../../../origin/http/bounded-server.ts';
import { isErrorCode, problemOf } from '../../../shared/wire/errors.ts';
import { PROBLEM_TYPE } from '../../../shared/wire/problem.ts';
import { decodeListFrames, LIST_FRAMES_TYPE } from '../../../shared/wire/read-response.ts';
import { readRequestId } from '../../../shared/wire/request-id.ts';
import type { Answer } from '../../support/raw-http/answer-reader.ts';
import type { Closed } from '../../support/raw-http/raw-client.ts';
import type { FuzzRequest } from './generators/request.ts';
import { itemOf, POPULAR_ITEM } from './generators/texts.ts';

/** Everything wrong with the answer, in words. */
export function findFaults(request: FuzzRequest, answer: Answer | Closed): string[] {
  if (answer.status === 'closed') return request.isWhole ? ['expected an answer, got a closed connection'] : [];
  return [
    ...faultsOfStatus(request, answer),
    ...faultsOfForm(request, answer),
    ...(answer.status === 200 ? faultsOfLists(request, answer) : []),
  ];
}

/**
 * 5xx that a request asks for itself:
 * - 501 and 505 of the HTTP server below, for methods and versions of HTTP that it does not have.
 * - 500 of workerd for CONNECT: the worker takes no tunnels, and Cloudflare passes none on.
 * - 503 and 504 for a caller's own deadline that is too short for a read.
 */
function faultsOfStatus(request: FuzzRequest, answer: Answer): string[] {
  const { status } = answer;
  if (status < 500) {
    const isExpected = [200, 204, 304].includes(status) || status >= 400;
    return isExpected ? [] : [`expected no status ${status}`];
  }
  if ([501, 505].includes(status) && !request.isWhole && !isOwn(answer)) return [];
  if (status === 500 && request.bytes.trimStart().startsWith('CONNECT ') && !isOwn(answer)) return [];
  if ([503, 504].includes(status) && hasDeadline(request)) return [];
  return [`expected no 5xx, got ${status}: ${textOf(answer)} ${answer.headers.get('cache-status') ?? ''}`];
}

const hasDeadline = ({ bytes }: FuzzRequest): boolean => /earshot-deadline-ms/i.test(bytes);
const textOf = ({ body }: Answer): string => body.toString().slice(0, 300);

/** Whether Earshot made the answer, and not the HTTP server below it. */
export const isOwn = ({ headers }: Answer): boolean =>
  headers.has('x-request-id') || headers.get('content-type') === PROBLEM_TYPE;

function faultsOfForm(request: FuzzRequest, answer: Answer): string[] {
  if (!request.isWhole && !isOwn(answer)) return [];
  if (isHeadTooLarge(request, answer)) return [];
  const faults = faultsOfRequestId(request, answer);
  if (answer.status < 400) return faults;
  const type = answer.headers.get('content-type');
  // /readyz says why in a document of its own.
  if (type !== PROBLEM_TYPE)
    return [...faults, `expected ${PROBLEM_TYPE}, got ${answer.status} ${type}: ${textOf(answer)}`];
  if (request.method === 'HEAD' || answer.body.length === 0) return faults;
  const { code, status } = parse(answer.body) as { code?: string; status?: number };
  const isKnown = code !== undefined && isErrorCode(code) && problemOf(code).status === answer.status;
  return isKnown && status === answer.status ? faults : [...faults, `expected a known code, got ${textOf(answer)}`];
}

/** Node answers this one itself, before it has read the id of the request. */
const isHeadTooLarge = ({ side, bytes }: FuzzRequest, { status }: Answer): boolean =>
  side === 'origin' && status === 431 && bytes.indexOf('\r\n\r\n') > MAX_HEADER_BYTES;

/** The worker always names the request. An origin repeats the id that came, if it is a well-formed one. */
function faultsOfRequestId({ side, bytes, isWhole }: FuzzRequest, { headers }: Answer): string[] {
  const got = headers.get('x-request-id');
  if (side === 'edge') return readRequestId(got) === undefined ? [`expected X-Request-Id, got ${got}`] : [];
  const sent = [...bytes.slice(0, bytes.indexOf('\r\n\r\n')).matchAll(/\r\nx-request-id: ([^\r]*)/gi)].map(
    ([, id]) => id,
  );
  if (!isWhole || sent.length !== 1 || readRequestId(sent[0]) === undefined) return [];
  return got === sent[0] ? [] : [`expected X-Request-Id ${sent[0]}, got ${got}`];
}

interface ListAnswer {
  readonly status?: number;
  readonly user?: string;
  readonly source?: string;
  readonly items?: readonly { readonly id: string }[];
  readonly problem?: { readonly code: string };
}

function faultsOfLists(request: FuzzRequest, answer: Answer): string[] {
  if (request.method === 'HEAD') return [];
  const type = answer.headers.get('content-type');
  if (type === LIST_FRAMES_TYPE) return faultsOfFrames(request, answer);
  if (request.side === 'origin' || type !== 'application/json') return [];
  const all = parse(answer.body) as ListAnswer & { results?: readonly ListAnswer[]; regions?: unknown };
  if (all.regions !== undefined) return request.grant.isAny ? [] : ['expected no status without the scope'];
  const results = all.results ?? [all];
  const isRead = results.some(({ items }) => items !== undefined);
  // Reads that are refused for their form need no scope.
  const isRefused = request.grant.isWithoutScope === true && !isRead;
  const isAnswered = isRead || all.results !== undefined;
  if (isAnswered && !isRefused && request.grant.user === undefined)
    return ['expected no list for a token that is not valid'];
  return results.flatMap((each) => faultsOfList(request, each));
}

function faultsOfList(request: FuzzRequest, { status = 200, user = '', source, items, problem }: ListAnswer): string[] {
  if (status >= 500 && !hasDeadline(request)) return [`expected no 5xx in a batch, got ${status} ${problem?.code}`];
  if (items === undefined) return [];
  const { grant } = request;
  const mayRead = user === grant.user || grant.isAny === true;
  const wanted = source === 'personal' ? itemOf(user) : POPULAR_ITEM;
  const isRight = items[0]?.id === wanted;
  return [
    ...(mayRead ? [] : [`expected no list of ${user} for a token of ${grant.user}`]),
    ...(isRight ? [] : [`expected ${wanted} in the ${source} list of ${user}, got ${items[0]?.id}`]),
  ];
}

function faultsOfFrames(request: FuzzRequest, answer: Answer): string[] {
  if (request.grant.isOrigin !== true) return ['expected no lists for a token that is not valid'];
  // The bytes of a broken request can carry another body than the one it was made from.
  if (!request.isWhole) return [];
  const { keys } = parse(Buffer.from(request.body, 'latin1')) as { keys: readonly { user?: string }[] };
  return decodeListFrames(answer.body, keys.length).flatMap((result, i) => {
    const user = keys[i]?.user ?? '';
    if (result.kind === 'error' && problemOf(result.code).status >= 500 && !hasDeadline(request))
      return [`expected no ${result.code} for key ${i}`];
    if (result.kind !== 'list') return [];
    const [item] = parse(Buffer.from(`[${Buffer.from(result.bytes).toString()}]`)) as { id: string }[];
    const wanted = user === '~popular' ? POPULAR_ITEM : itemOf(user);
    return item?.id === wanted ? [] : [`expected ${wanted} for key ${i}, got ${item?.id}`];
  });
}

function parse(body: Buffer): unknown {
  const text = body.toString();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`expected JSON, got ${JSON.stringify(text.slice(0, 300))}`);
  }
}
