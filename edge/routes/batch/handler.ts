// Many reads in one request: QUERY /v1/recommendations and POST /v1/recommendations:batch. A failed read has a problem
// in its place and never fails its neighbours. Only a fault of the whole request refuses all of it.
import type { Context } from 'hono';
import { routePath } from 'hono/route';
import { DEFAULT_LIMIT } from '../../../shared/domain/list.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { EarshotError } from '../../../shared/wire/errors.ts';
import type { EdgeDeps } from '../../deps.ts';
import type { ServedExposure } from '../../exposures/receive.ts';
import { withExposure } from '../../exposures/with-exposure.ts';
import { checkAccess } from '../../identity/access.ts';
import type { Identity } from '../../identity/claims.ts';
import { chargeAnswer } from '../../limits/charge-answer.ts';
import { costOf } from '../../limits/read-cost.ts';
import { type Log, type LogFields, logFailure } from '../../log.ts';
import type { ServeReads } from '../../reads/serve-reads.ts';
import type { Call } from '../../request/call.ts';
import { nearestRegionTo } from '../../request/place.ts';
import { describeRequest } from '../../request/request-id.ts';
import { allowDebugOutput } from '../../respond/answer-error.ts';
import { type BatchRead, type BatchResult, type FailedRead, respondWithBatch } from '../../respond/batch.ts';
import { attributesFor } from '../attributes.ts';
import { readListBody } from '../body.ts';
import { invalidRequest, readCallerHeaders, refuseQuery } from '../validation.ts';
import { BATCH_BODY } from './bounds.ts';
import { readSchema } from './schemas.ts';

type BatchDeps = Pick<
  EdgeDeps,
  | 'builds'
  | 'clock'
  | 'config'
  | 'costs'
  | 'exposures'
  | 'exposureTokens'
  | 'inFlight'
  | 'limits'
  | 'log'
  | 'manifests'
  | 'respondLarge'
  | 'serveReads'
>;

/**
 * Throws an error of the whole request: `rate_limited`, `forbidden`, an error of readListBody, or `unavailable`
 * without a manifest.
 */
export async function answerBatch(deps: BatchDeps, c: Context, identity: Identity, call: Call): Promise<Response> {
  const { builds, clock, config, limits, log, manifests, respondLarge } = deps;
  const request = c.req.raw;
  const { debug } = readCallerHeaders(c.req);
  refuseQuery(c.req);
  // The body is read for one token; the rest of the cost is known after it.
  limits.admit(identity, 1);
  const reads = (await readListBody(request, BATCH_BODY)).map((value) => checkRead(value, identity, request));
  const valid = reads.filter((read): read is BatchRead => !('error' in read));
  const cost = costOf(valid);
  limits.admit(identity, Math.max(0, cost - 1));
  // A refused read needs no scope: no list is read for it.
  checkAccess(identity, valid, debug);
  if (debug) allowDebugOutput(c, call.regions);
  const [manifest] = await Promise.all([
    call.timings.time('manifest', () => manifests.get(call)),
    limits.admitAtLocation(identity),
  ]);
  const placed = placeOutcomes(reads, await readHeld(deps, valid, manifest, call));
  const shown: ServedExposure[] = [];
  const results = await addExposures(deps, placed, { manifest, call, shown });
  chargeAnswer(
    deps,
    identity,
    cost,
    results.map((result) => ('served' in result ? result.served : result.error)),
  );
  logFailures(log, results, { route: routePath(c, -1), ...describeRequest(call.requestId, call.traceparent) });
  const { maxAnswerBytes: maxBytes } = config;
  const answer = respondWithBatch({
    results,
    manifest,
    nowMs: clock.now(),
    debug,
    call,
    maxBytes,
    respondLarge,
    builds,
  });
  // One message for the whole batch.
  const noted = deps.exposures?.noteServed(shown);
  if (noted !== undefined) call.waitUntil(noted);
  return answer;
}

/** The outcomes of `reads`. Their loads count as in memory until all of them have one. */
async function readHeld({ inFlight, serveReads }: BatchDeps, ...[reads, manifest, call]: Parameters<ServeReads>) {
  const held = inFlight.open();
  try {
    return await serveReads(reads, manifest, { ...call, held });
  } finally {
    held.release();
  }
}

function checkRead(value: unknown, identity: Identity, request: Request): BatchRead | FailedRead {
  const parsed = readSchema.safeParse(value);
  if (!parsed.success) return { owner: ownerOf(value), error: invalidRequest(parsed.error, 'member') };
  const { user, surface, limit = DEFAULT_LIMIT, fallback = 'popular', variant, expand, country } = parsed.data;
  const attributes = attributesFor(request, identity, user, country);
  return { user, surface, limit, fallback, variant, expand, attributes };
}

/** Longer texts are no user or surface, and would make the answer larger than the request. */
const MAX_OWNER_CHARACTERS = 256;

/** The user and the surface that a refused read names. */
function ownerOf(value: unknown): FailedRead['owner'] {
  const { user, surface } = Object(value) as { user?: unknown; surface?: unknown };
  const isShown = (text: unknown): text is string => typeof text === 'string' && text.length <= MAX_OWNER_CHARACTERS;
  return { ...(isShown(user) ? { user } : {}), ...(isShown(surface) ? { surface } : {}) };
}

/** `outcomes` belong to the reads that were not refused, in order. */
function placeOutcomes(
  reads: readonly (BatchRead | FailedRead)[],
  outcomes: Awaited<ReturnType<EdgeDeps['serveReads']>>,
): BatchResult[] {
  const rest = outcomes.values();
  return reads.map((read) => {
    if ('error' in read) return read;
    const served = rest.next().value ?? new EarshotError('internal', 'edge', 'expected an outcome for every read');
    if (!(served instanceof EarshotError)) return { read, served };
    return { owner: { user: read.user, surface: read.surface }, error: served };
  });
}

/** `results` with their exposures. Those that count as shown are added to `shown` once they are in the answer. */
function addExposures(
  deps: BatchDeps,
  results: readonly BatchResult[],
  { manifest, call, shown }: { readonly manifest: Manifest; readonly call: Call; readonly shown: ServedExposure[] },
): Promise<readonly BatchResult[]> {
  const region = nearestRegionTo(call.place, deps.config.regions);
  const nearestRegion = () => region;
  return Promise.all(
    results.map((result) => {
      if ('error' in result) return result;
      const { read, served } = result;
      return withExposure(deps, { read, served, manifest, nearestRegion }, (exposure, own) => ({
        ...result,
        exposure,
        onAnswered: own && (() => shown.push(own)),
      }));
    }),
  );
}

/** One log line per kind of failure: when regions are down, a hundred reads fail for one reason. */
function logFailures(log: Log, results: readonly BatchResult[], about: LogFields): void {
  const errors = results.flatMap((result) => ('error' in result ? [result.error] : []));
  const alike = Map.groupBy(errors, ({ code, message }) => (code === 'internal' ? message : code));
  for (const [first, ...others] of alike.values()) {
    if (first !== undefined) logFailure(log, 'read_failed', first, { ...about, reads: 1 + others.length });
  }
}
