// Calls to one origin. Whatever goes wrong comes back as a named failure of that region, so that whoever asked can go on to the next.

import { DEV_LOCATION_HEADER, type Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { CounterSide, Counters } from '../../shared/runtime/counters.ts';
import { problemOf } from '../../shared/wire/errors.ts';
import { DEADLINE_HEADER, LISTS_READ_PATH, type ListAsk, MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import { decodeListFrames, type ListResult } from '../../shared/wire/read-response.ts';
import { describeError, type Log } from '../log.ts';
import { type Call, shareOfDeadlineMs, traceIdOf } from '../request/call.ts';
import { WaitCancelled, WaitTimeout, withTimeout } from '../request/with-timeout.ts';

export interface RegionFailure {
  readonly reason: 'status' | 'timeout' | 'connection' | 'undecodable' | 'cancelled';
  /** The HTTP status, when the origin answered at all. */
  readonly status?: number;
  /** How long it wants to be left alone, in milliseconds, when it said so: it has too much to do. */
  readonly retryAfterMs?: number;
}

/** Whether the region itself is at fault, so that it would fail for anything else too: it did not answer, or with a 5xx. */
export const isRegionDown = ({ status }: RegionFailure): boolean => status === undefined || status >= 500;

export type OriginAnswer<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | { readonly kind: 'failed'; readonly failure: RegionFailure };

export type ManifestAnswer =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'manifest'; readonly json: string; readonly etag: string | undefined };

export interface OriginClient {
  /** One result per key, in the order of the keys. */
  readLists(region: Region, keys: readonly ListAsk[], call: Call): Promise<OriginAnswer<ListResult[]>>;
  /** `etag` of the manifest that is already held, if one is. */
  readManifest(region: Region, etag: string | undefined, call: Call): Promise<OriginAnswer<ManifestAnswer>>;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

interface OriginClientOptions {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly side: CounterSide;
  readonly log: Log;
  readonly internalToken: () => Promise<string>;
  /** Milliseconds that one call may take at most, its body included. */
  readonly timeoutMs: number;
}

export function createOriginClient(options: OriginClientOptions): OriginClient {
  const { fetch, clock, counters, side, log, internalToken } = options;

  async function exchange<T>(
    region: Region,
    call: Call,
    path: string,
    init: RequestInit,
    read: (response: Response) => Promise<T>,
  ): Promise<OriginAnswer<T>> {
    const timeoutMs = shareOfDeadlineMs(call, region, clock, options.timeoutMs);
    let status: number | undefined;
    let retryAfterMs: number | undefined;
    const send = async (signal: AbortSignal): Promise<T> => {
      const headers = await makeHeaders(call, timeoutMs, init.headers);
      const response = await fetch(`${trimSlash(region.origin)}${path}`, {
        ...init,
        headers,
        redirect: 'manual',
        signal,
      });
      status = response.status;
      retryAfterMs = status === OVERLOADED ? readRetryAfterMs(response.headers.get('retry-after')) : undefined;
      return read(response);
    };
    try {
      return { kind: 'answered', value: await withTimeout(clock, timeoutMs, send, call.presence) };
    } catch (error) {
      const failure = { ...describeFailure(error, status), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
      if (failure.reason === 'cancelled') return { kind: 'failed', failure };
      log.warn('region_failed', {
        region: region.name,
        path,
        reason: failure.reason,
        status,
        traceId: traceIdOf(call.traceparent),
        ...describeError(error),
      });
      return { kind: 'failed', failure };
    }
  }

  async function makeHeaders(call: Call, timeoutMs: number, own: HeadersInit | undefined): Promise<Headers> {
    const headers = new Headers(own);
    headers.set('authorization', `Bearer ${await internalToken()}`);
    headers.set(DEADLINE_HEADER, String(timeoutMs));
    if (call.traceparent !== undefined) headers.set('traceparent', call.traceparent);
    if (call.devLocation !== undefined) headers.set(DEV_LOCATION_HEADER, call.devLocation);
    return headers;
  }

  return {
    readLists: async (region, keys, call) => {
      counters.add(`${side}_origin_calls_total`);
      counters.add(`${side}_origin_reads_total`, keys.length);
      const body = JSON.stringify({ keys });
      const init = { method: 'POST', body, headers: { 'content-type': 'application/json' } };
      const answer = await exchange(region, call, LISTS_READ_PATH, init, async (response) => {
        await expectStatus(response, 200);
        return decodeListFrames(new Uint8Array(await response.arrayBuffer()), keys.length);
      });
      if (answer.kind === 'failed' && answer.failure.reason !== 'cancelled')
        counters.add(`${side}_origin_failures_total`);
      return answer;
    },
    readManifest: (region, etag, call) => {
      counters.add('edge_manifest_fetches_total');
      const init = { method: 'GET', headers: etag === undefined ? {} : { 'if-none-match': etag } };
      return exchange<ManifestAnswer>(region, call, MANIFEST_PATH, init, async (response) => {
        if (etag !== undefined && response.status === 304) return { kind: 'unchanged' };
        await expectStatus(response, 200);
        return { kind: 'manifest', json: await response.text(), etag: response.headers.get('etag') ?? undefined };
      });
    },
  };
}

class UnexpectedStatus extends Error {
  override readonly name = 'UnexpectedStatus';
}

/** An answer that is not read must be let go of, or its connection stays taken. */
async function expectStatus(response: Response, status: number): Promise<void> {
  if (response.status === status) return;
  await response.body?.cancel();
  throw new UnexpectedStatus(`expected status ${status}, got ${response.status}`);
}

function describeFailure(error: unknown, status: number | undefined): RegionFailure {
  if (error instanceof WaitCancelled) return { reason: 'cancelled' };
  if (error instanceof WaitTimeout) return { reason: 'timeout' };
  if (status === undefined) return { reason: 'connection' };
  return { reason: error instanceof UnexpectedStatus ? 'status' : 'undecodable', status };
}

const OVERLOADED = problemOf('overloaded').status;

/** In seconds, as origins give it (RFC 9110, section 10.2.3); a date is none of theirs. */
const readRetryAfterMs = (header: string | null): number | undefined =>
  header !== null && /^\d{1,4}$/.test(header) ? Number(header) * 1000 : undefined;

const trimSlash = (url: string): string => url.replace(/\/+$/, '');
