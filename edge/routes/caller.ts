// The verified caller of a request.
import type { Context } from 'hono';
import type { Clock } from '../../shared/runtime/clock.ts';
import { traceIdOf } from '../../shared/wire/traceparent.ts';
import { TokenRejected } from '../identity/access-error.ts';
import type { Identity } from '../identity/claims.ts';
import type { IdentityVerifier } from '../identity/identity.ts';
import { ADDRESS_HEADER, addressKeyOf } from '../limits/address.ts';
import type { Limits } from '../limits/limits.ts';
import type { Arrival } from '../request/open-call.ts';
import { describeRequest, requestIdOf, traceparentOf } from '../request/request-id.ts';
import { createTimings } from '../request/timings.ts';
import type { OpenTrace } from '../request/trace.ts';

export interface Caller extends Arrival {
  readonly identity: Identity;
}

interface CallerDeps {
  readonly openTrace: OpenTrace;
  readonly clock: Clock;
  readonly identity: IdentityVerifier;
  readonly limits: Limits;
}

/**
 * The result of `answer` for the verified caller. With a remembered token `answer` runs synchronously, which halves the
 * cost of a cache hit. Throws, or rejects with, `unauthenticated` for a missing or invalid token, and `rate_limited`.
 */
export function withCaller<T>(
  { clock, identity, limits, openTrace }: CallerDeps,
  c: Context,
  answer: (caller: Caller) => T | Promise<T>,
): T | Promise<T> {
  const trace = openTrace();
  const timings = createTimings(clock, trace);
  const receivedAtMs = clock.now();
  const authorization = c.req.header('authorization');
  const requestId = requestIdOf(c);
  trace?.describe({ 'earshot.request_id': requestId, 'earshot.caller_trace_id': traceIdOf(traceparentOf(c)) });
  const known = identity.recall(authorization);
  if (known !== undefined) {
    timings.addInstant('token');
    return answer({ requestId, receivedAtMs, timings, trace, identity: known });
  }
  // An address that sends too much costs no signature check.
  const address = addressKeyOf(c.req.header(ADDRESS_HEADER));
  limits.admitAddress(address);
  const waitUntil = (work: Promise<unknown>): void => c.executionCtx.waitUntil(work);
  const about = describeRequest(requestId, traceparentOf(c));
  return timings
    .time('token', () => identity.verify(authorization, { about, waitUntil }))
    .catch((error: unknown) => {
      if (error instanceof TokenRejected) limits.chargeRejection(address);
      throw error;
    })
    .then((verified) => answer({ requestId, receivedAtMs, timings, trace, identity: verified }));
}
