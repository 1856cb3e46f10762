// The answer to a batch: a result per read, composed around the stored bytes of its list. Equal reads share their list.
// A list that would make the answer too large has a problem in its place; the lists around it are answered.

import { cutList } from '../../shared/domain/list.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { interleaveBytes } from '../../shared/runtime/bytes.ts';
import type { EarshotError } from '../../shared/wire/errors.ts';
import { makeProblem } from '../../shared/wire/problem.ts';
import type { Builds } from '../builds.ts';
import type { Read } from '../reads/fallback.ts';
import { ReadError, type Served } from '../reads/serve-reads.ts';
import type { CacheTrail } from '../reads/trail.ts';
import type { Call } from '../request/call.ts';
import { serializeBatchCacheStatus } from './batch-cache-status.ts';
import { serializeCacheStatus } from './cache-status.ts';
import { closeList, describeList, openList } from './compose.ts';
import { BUILDS_HEADER, REGIONS_HEADER, serializeBuilds, serializeDecision, serializeRegions } from './debug.ts';
import { everyAnswer } from './every-answer.ts';
import { type Content, LARGE_ANSWER_BYTES, makeTooLarge, type RespondLarge } from './large-answer.ts';

export interface BatchRead extends Read {
  readonly limit: number;
}

/** A failure becomes the problem in the place of its read. */
export type BatchResult =
  | {
      readonly read: BatchRead;
      readonly served: Served;
      readonly exposure?: string | undefined;
      /** Called once the answer has the list. */
      readonly onAnswered?: (() => void) | undefined;
    }
  | FailedRead;

export interface FailedRead {
  /** The user and the surface, as far as the read names them: a refused read can have any members. */
  readonly owner: { readonly user?: string; readonly surface?: string };
  readonly error: EarshotError;
}

interface BatchAnswer {
  /** In the order of the reads. */
  readonly results: readonly BatchResult[];
  /** The manifest that the lists were chosen under. */
  readonly manifest: Manifest;
  readonly nowMs: number;
  /** Whether to add debug output. */
  readonly debug: boolean;
  readonly call: Call;
  /** Maximum bytes of lists and the text before them. Problems beyond it are few and short. */
  readonly maxBytes: number;
  readonly respondLarge: RespondLarge;
  readonly builds: Builds;
}

/** Throws `overloaded` if the answer is large and too many others are in memory. */
export function respondWithBatch(answer: BatchAnswer): Response {
  const { bytes, ...content } = composeContent(answer);
  const headers = makeHeaders(answer);
  if (bytes < LARGE_ANSWER_BYTES) return new Response(interleaveBytes(content.texts, content.lists), { headers });
  return answer.respondLarge(content, headers, answer.call.waitUntil);
}

function composeContent(answer: BatchAnswer): Content & { readonly bytes: number } {
  /** The JSON before each list. */
  const texts: string[] = [];
  const lists: Uint8Array[] = [];
  let text = '{"results":[';
  let bytes = 0;
  for (const [i, result] of answer.results.entries()) {
    if (i > 0) text += ',';
    if ('error' in result) {
      text += describeFailure(result, answer);
      continue;
    }
    const { read, served, exposure } = result;
    const opening = openList({
      status: 200,
      experiment: served.assignment.experiment,
      ...(exposure === undefined ? {} : { exposure }),
      ...describeList(read, served),
      ...describeDecision(served, answer),
    });
    const list = cutList(served.list.bytes, read.limit);
    const more = text.length + opening.length + list.length;
    if (bytes + more > answer.maxBytes) {
      const error = makeTooLarge(answer.maxBytes, 'read the rest with another request');
      text += describeFailure({ owner: { user: read.user, surface: read.surface }, error }, answer);
      continue;
    }
    bytes += more;
    result.onAnswered?.();
    texts.push(text + opening);
    lists.push(list);
    text = closeList;
  }
  texts.push(`${text}]}`);
  return { texts, lists, bytes: bytes + text.length };
}

function describeFailure(result: FailedRead, answer: BatchAnswer): string {
  const { owner, error } = result;
  const problem = makeProblem(error.code, error.message);
  return JSON.stringify({ status: problem.status, ...owner, problem, ...describeTrails(trailsOf(result), answer) });
}

function describeDecision(served: Served, answer: BatchAnswer): object {
  if (!answer.debug) return {};
  return {
    ...describeTrails(served.trails, answer),
    decision: serializeDecision(served, answer.manifest),
  };
}

const describeTrails = (trails: readonly CacheTrail[], { nowMs, debug }: BatchAnswer): object =>
  debug && trails.length > 0 ? { cacheStatus: serializeCacheStatus(trails, nowMs, true) } : {};

/** A refused read has no trails. */
function trailsOf(result: BatchResult): readonly CacheTrail[] {
  if ('served' in result) return result.served.trails;
  return result.error instanceof ReadError ? result.error.trails : [];
}

function makeHeaders({ results, debug, call, builds }: BatchAnswer): Headers {
  const headers = new Headers({
    ...everyAnswer(call.requestId),
    'Content-Type': 'application/json',
    // The answer holds lists of many users. No cache on the way may store it.
    'Cache-Control': 'no-store',
    'Server-Timing': call.timings.serialize(),
  });
  const trails = results.map(trailsOf).filter(({ length }) => length > 0);
  const regions = call.regions.map(({ name }) => name);
  if (trails.length > 0) headers.set('Cache-Status', serializeBatchCacheStatus(trails, regions));
  if (!debug) return headers;
  headers.set(REGIONS_HEADER, serializeRegions(call.regions));
  headers.set(BUILDS_HEADER, serializeBuilds(builds));
  return headers;
}
