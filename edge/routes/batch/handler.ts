// Many reads in one request: QUERY /v1/recommendations and POST /v1/recommendations:batch. A failed read has a problem
// in its place and never fails its neighbours. Only a fault of the whole request refuses all of it.
import { DEFAULT_LIMIT } from '../../../shared/domain/list.ts';
import { EarshotError } from '../../../shared/wire/errors.ts';
import { DEADLINE_HEADER } from '../../../shared/wire/read-request.ts';
import type { EdgeDeps } from '../../deps.ts';
import { checkAccess } from '../../identity/access.ts';
import type { Identity } from '../../identity/identity.ts';
import { type Log, logFailure } from '../../log.ts';
import type { Call } from '../../request/call.ts';
import { traceIdOf } from '../../request/traceparent.ts';
import { type BatchRead, type BatchResult, respondWithBatch } from '../../respond/batch.ts';
import { DEBUG_HEADER } from '../../respond/debug.ts';
import { headersSchema } from '../schemas.ts';
import { invalidRequest } from '../validation.ts';
import { readBatchBody } from './body.ts';
import { readSchema } from './schemas.ts';

type BatchDeps = Pick<EdgeDeps, 'clock' | 'log' | 'manifests' | 'serveReads'>;

/**
 * Throws an error of the whole request: `forbidden`, an error of readBatchBody, or `unavailable` without a manifest.
 */
export async function answerBatch(
  deps: BatchDeps,
  request: Request,
  identity: Identity,
  call: Call,
): Promise<Response> {
  const { clock, log, manifests, serveReads } = deps;
  const debug = readDebug(request.headers);
  const reads = (await readBatchBody(request)).map(checkRead);
  const valid = reads.filter((read): read is BatchRead => !(read instanceof EarshotError));
  // A refused read needs no scope: no list is read for it.
  checkAccess(identity, valid, debug);
  const { manifest } = await call.timings.time('manifest', () => manifests.get(call));
  const results = placeOutcomes(reads, await serveReads(valid, manifest, call));
  logFailures(log, results, { path: new URL(request.url).pathname, traceId: traceIdOf(call.traceparent) });
  return respondWithBatch({ results, manifest, nowMs: clock.now(), debug, call });
}

function readDebug(headers: Headers): boolean {
  const parsed = headersSchema.safeParse({
    [DEBUG_HEADER]: headers.get(DEBUG_HEADER) ?? undefined,
    [DEADLINE_HEADER]: headers.get(DEADLINE_HEADER) ?? undefined,
  });
  if (!parsed.success) throw invalidRequest(parsed.error);
  return parsed.data[DEBUG_HEADER] !== undefined;
}

function checkRead(value: unknown): BatchRead | EarshotError {
  const parsed = readSchema.safeParse(value);
  if (!parsed.success) return invalidRequest(parsed.error, 'member');
  const { user, surface, limit = DEFAULT_LIMIT, fallback = 'popular', variant, expand } = parsed.data;
  return { user, surface, limit, fallback, variant, expand };
}

/** `outcomes` belong to the reads that are not errors, in order. */
function placeOutcomes(
  reads: readonly (BatchRead | EarshotError)[],
  outcomes: Awaited<ReturnType<EdgeDeps['serveReads']>>,
): BatchResult[] {
  const rest = outcomes.values();
  return reads.map((read) => {
    if (read instanceof EarshotError) return read;
    const served = rest.next().value ?? new EarshotError('internal', 'edge', 'expected an outcome for every read');
    return served instanceof EarshotError ? served : { read, served };
  });
}

/** One log line per kind of failure: when regions are down, a hundred reads fail for one reason. */
function logFailures(
  log: Log,
  results: readonly BatchResult[],
  about: { path: string; traceId: string | undefined },
): void {
  const errors = results.filter((result) => result instanceof EarshotError);
  const alike = Map.groupBy(errors, ({ code, message }) => (code === 'internal' ? message : code));
  for (const [first, ...others] of alike.values()) {
    if (first !== undefined) logFailure(log, 'read_failed', first, { ...about, reads: 1 + others.length });
  }
}
