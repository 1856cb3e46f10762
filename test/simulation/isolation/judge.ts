// The judge of every answer: no part of it may come from a user that its caller may not read at that position. It uses
// none of the tested code.
import { type Access, accessOf } from './access.ts';
import { createReadJudge, judgeKeys, type Members, OUTAGE_CODES, type Problem, told } from './judge-read.ts';
import { createKnownEtags, type KnownEtag } from './known-etags.ts';
import type { Population } from './population.ts';
import type { DrawnRead, DrawnRequest } from './requests.ts';
import { demand } from './violation.ts';

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** An outcome that never comes would be a hole in the test. */
export const OUTCOMES = [
  'personal',
  'popular',
  'batch-personal',
  'batch-popular',
  'not-modified',
  'modified',
  'unauthenticated',
  'forbidden-read',
  'forbidden-preview',
  'forbidden-debug',
  'forbidden-etag',
  'invalid_request',
  'unknown_surface',
  'unknown_variant',
  'no_recommendations',
  'unavailable',
] as const;

export interface Judge {
  /** Throws a Violation if the caller of `request` must not get `answer`. */
  judge(request: DrawnRequest, answer: Answered): void;
  /** ETags of the latest answers. */
  etags(): readonly KnownEtag[];
}

/** Differ between two answers to equal refused requests. */
const VARYING_HEADERS = /^(x-request-id|ratelimit.*|server-timing|retry-after)$/;
const IF_NONE_MATCH = 'if-none-match';

/** Counts each outcome in `outcomes`. */
export function createJudge(population: Population, outcomes: Map<string, number>): Judge {
  const { popular } = population;
  const { scan, judgeList, judgeProblem } = createReadJudge(population);
  const etags = createKnownEtags();
  /** The first refusal of each kind. */
  const refusals = new Map<string, string>();
  const count = (outcome: string): void => {
    outcomes.set(outcome, 1 + (outcomes.get(outcome) ?? 0));
  };

  /** A refusal says nothing of its target: it equals every refusal of its kind. */
  function judgeRefusal(
    access: Exclude<Access, { kind: 'allowed' }>,
    { method, caller, headers: sent }: DrawnRequest,
    { status, headers, text }: Answered,
  ): void {
    const isForbidden = access.kind === 'forbidden';
    const expected = isForbidden ? 403 : 401;
    demand(status === expected, () => `expected status ${expected}, got ${status}`);
    count(isForbidden ? `forbidden-${access.scope.split(':')[1]}` : access.kind);
    if (isForbidden && sent[IF_NONE_MATCH] !== undefined) count('forbidden-etag');
    const shown = [...headers].filter(([name]) => !VARYING_HEADERS.test(name)).sort();
    const answer = JSON.stringify([status, shown, text]);
    const kind = `${method} ${isForbidden ? access.scope : caller.authorization}`;
    const first = refusals.get(kind) ?? answer;
    refusals.set(kind, first);
    demand(answer === first, () => `two refusals of one kind differ: ${first} and ${answer}`);
    demand(headers.get('etag') === null && headers.get('cache-status') === null, () => 'a refusal tells of a list');
    demand(headers.get('cache-control') === 'no-store', () => `a refusal has ${headers.get('cache-control')}`);
  }

  function judgeSingle(request: DrawnRequest, { status, headers, text }: Answered): void {
    const { isDebug, method, caller } = request;
    const read = request.reads[0] as DrawnRead;
    const owners = [read.user, caller.user as string, popular.user];
    scan([...headers].join('\n') + text, owners, `the answer to ${told(read)}`);
    judgeKeys(read, headers.get('cache-status'), isDebug);
    const isList = status === 200 || status === 304;
    const cacheControl = headers.get('cache-control') ?? '';
    const isPrivate = isList ? /^private, max-age=\d+$/.test(cacheControl) : cacheControl === 'no-store';
    demand(isPrivate, () => `${told(read)} has Cache-Control: ${cacheControl}`);
    const { [IF_NONE_MATCH]: ifNoneMatch } = request.headers;
    if (status === 304 || method === 'HEAD') demand(text === '', () => `${method} of ${told(read)} has a body`);
    if (status === 304) {
      count('not-modified');
      etags.judgeNotModified(read, headers.get('etag') ?? '', ifNoneMatch ?? '');
    } else if (method === 'GET' && isList) {
      if (ifNoneMatch !== undefined) count('modified');
      judgeOwnList(request, headers, text);
    } else if (method === 'GET') {
      judgeError(read, JSON.parse(text) as Problem);
    }
  }

  function judgeOwnList({ reads }: DrawnRequest, headers: Headers, text: string): void {
    const read = reads[0] as DrawnRead;
    const owner = judgeList(read, JSON.parse(text) as Members, headers.get('earshot-decision'));
    count(owner === popular ? 'popular' : 'personal');
    const etag = headers.get('etag') ?? '';
    demand(etag.startsWith(`"${owner.mark}-`), () => `${told(read)} has ${etag}, and the list of ${owner.user}`);
    etags.record(etag, read, text);
  }

  function judgeError(read: DrawnRead, problem: Problem): void {
    count(problem.code);
    judgeProblem(read, problem);
  }

  function judgeBatch({ reads, isDebug }: DrawnRequest, { status, headers, text }: Answered): void {
    scan([...headers].join('\n'), [], 'the headers of a batch');
    demand(headers.get('cache-control') === 'no-store', () => `a batch has ${headers.get('cache-control')}`);
    demand(headers.get('etag') === null, () => 'a batch has an ETag');
    if (status !== 200) {
      scan(text, [], 'the problem of a batch');
      const { code } = JSON.parse(text) as Problem;
      demand(OUTAGE_CODES.includes(code), () => `a batch ends with ${code}`);
      return;
    }
    const { results } = JSON.parse(text) as { results: readonly Members[] };
    demand(results.length === reads.length, () => `${reads.length} reads have ${results.length} results`);
    for (const [i, read] of reads.entries()) judgeMember(read, results[i] as Members, isDebug);
  }

  function judgeMember(read: DrawnRead, result: Members, isDebug: boolean): void {
    scan(JSON.stringify(result), [read.user, popular.user], `the result of ${told(read)}`);
    judgeKeys(read, result.cacheStatus, isDebug);
    if (result.status === 200) {
      demand(read.isValid, () => `${told(read)} is not refused`);
      count(judgeList(read, result, result.decision) === popular ? 'batch-popular' : 'batch-personal');
      return;
    }
    const isOwn = result.user === read.user && result.surface === read.surface;
    demand(isOwn, () => `the problem of ${told(read)} is of ${result.user} on ${result.surface}`);
    judgeError(read, result.problem as Problem);
  }

  return {
    etags: etags.latest,
    judge: (request, answer) => {
      const access = accessOf(request);
      if (access.kind !== 'allowed') judgeRefusal(access, request, answer);
      else if (request.isBatch) judgeBatch(request, answer);
      else judgeSingle(request, answer);
    },
  };
}
