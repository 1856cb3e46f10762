// The answer to a batch: a result per read, composed around the stored bytes of its list as list.ts does for one.

import { cutList } from '../../shared/domain/list.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { interleaveBytes } from '../../shared/runtime/bytes.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { type Read, ReadError, type Served } from '../reads/serve-reads.ts';
import type { Call } from '../request/call.ts';
import { serializeBatchCacheStatus } from './batch-cache-status.ts';
import { type CacheTrail, serializeCacheStatus } from './cache-status.ts';
import { closeList, describeList, openList } from './compose.ts';
import { REGIONS_HEADER, serializeDecision, serializeRegions } from './debug.ts';
import { EVERY_ANSWER } from './every-answer.ts';
import { makeProblem } from './problem.ts';

export interface BatchRead extends Read {
  readonly limit: number;
}

/** An error is the problem in the place of the read that it is about. */
export type BatchResult = { readonly read: BatchRead; readonly served: Served } | EarshotError;

interface BatchAnswer {
  /** In the order of the reads. */
  readonly results: readonly BatchResult[];
  /** What they were chosen under. */
  readonly manifest: Manifest;
  readonly nowMs: number;
  /** Whether to add what only debuggers may see. */
  readonly debug: boolean;
  readonly call: Call;
}

export const respondWithBatch = (answer: BatchAnswer): Response =>
  new Response(composeBody(answer), { headers: makeHeaders(answer) });

function composeBody(answer: BatchAnswer): Uint8Array {
  /** What stands before each of the lists. */
  const texts: string[] = [];
  const lists: Uint8Array[] = [];
  let text = '{"results":[';
  for (const [i, result] of answer.results.entries()) {
    if (i > 0) text += ',';
    if (result instanceof EarshotError) {
      const problem = makeProblem(result);
      text += JSON.stringify({ status: problem.status, problem, ...describeTrails(trailsOf(result), answer) });
      continue;
    }
    const { read, served } = result;
    text += openList({ status: 200, ...describeList(read, served), ...describeDecision(read, served, answer) });
    texts.push(text);
    lists.push(cutList(served.list.bytes, read.limit));
    text = closeList;
  }
  return interleaveBytes([...texts, `${text}]}`], lists);
}

function describeDecision(read: Read, served: Served, answer: BatchAnswer): object {
  if (!answer.debug) return {};
  return {
    ...describeTrails(served.trails, answer),
    decision: serializeDecision(read, served, answer.manifest),
  };
}

const describeTrails = (trails: readonly CacheTrail[], { nowMs, debug }: BatchAnswer): object =>
  debug && trails.length > 0 ? { cacheStatus: serializeCacheStatus(trails, nowMs, true) } : {};

/** What a read asked: nothing, if it was refused before. */
function trailsOf(result: BatchResult): readonly CacheTrail[] {
  if (result instanceof ReadError) return result.trails;
  return result instanceof EarshotError ? [] : result.served.trails;
}

function makeHeaders({ results, debug, call }: BatchAnswer): Headers {
  const headers = new Headers({
    ...EVERY_ANSWER,
    'Content-Type': 'application/json',
    // It holds lists of many users, for a service that has a store of its own if it wants one: no cache on the way has any business with it.
    'Cache-Control': 'no-store',
    'Server-Timing': call.timings.serialize(),
  });
  const trails = results.map(trailsOf).filter(({ length }) => length > 0);
  const regions = call.regions.map(({ name }) => name);
  if (trails.length > 0) headers.set('Cache-Status', serializeBatchCacheStatus(trails, regions));
  if (debug) headers.set(REGIONS_HEADER, serializeRegions(call));
  return headers;
}
