// HTTP calls to one origin. Every failure is a value that names its reason, so that the caller can try the next region.
import { type DocumentName, MAX_DOCUMENT_BYTES } from '../../shared/domain/effects/documents.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { DEV_LOCATION_HEADER } from '../../shared/domain/regions.ts';
import type { ByteAccount } from '../../shared/runtime/byte-account.ts';
import { decodeUtf8 } from '../../shared/runtime/bytes.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { CounterSide, Counters } from '../../shared/runtime/counters.ts';
import { readRetryAfterMs } from '../../shared/runtime/retry-after.ts';
import { DEADLINE_HEADER } from '../../shared/wire/deadline.ts';
import { EDGE_REPORT_PATH, type EdgeReport } from '../../shared/wire/edge/edge-report.ts';
import { problemOf } from '../../shared/wire/errors.ts';
import { JSON_TYPE } from '../../shared/wire/json-body.ts';
import {
  BUILD_HEADER,
  MESSAGE_VERSION,
  MESSAGE_VERSION_HEADER,
  RESIDENCE_HEADER,
  readMessageVersion,
} from '../../shared/wire/message-version.ts';
import { DOCUMENTS_PATH, LISTS_READ_PATH, type ListQuery, MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import { decodeListFrames, type ListResult, MAX_FRAMES_BYTES } from '../../shared/wire/read-response.ts';
import { REQUEST_ID_HEADER } from '../../shared/wire/request-id.ts';
import { formatTraceparent, parseTraceparent, TRACEPARENT_HEADER } from '../../shared/wire/traceparent.ts';
import { type Builds, type NamedBuild, originPart } from '../builds.ts';
import { describeError, type Log } from '../log.ts';
import type { Fetch } from '../platform.ts';
import { type Call, remainingMs } from '../request/call.ts';
import { BodyTooLarge, NoRoom, readBody } from '../request/read-body.ts';
import { describeRequest } from '../request/request-id.ts';
import { WaitCancelled, WaitTimeout, withTimeout } from '../request/with-timeout.ts';
import type { InternalTokens } from './internal-token.ts';

export interface RegionFailure {
  readonly reason: 'status' | 'timeout' | 'connection' | 'undecodable' | 'too-large' | 'no-room' | 'cancelled';
  /** HTTP status, if the origin answered. */
  readonly status?: number;
  /** Back-off that an overloaded origin asks for, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Whether the region would fail any other call, too: no answer, or a 5xx. */
export const isRegionDown = ({ status }: RegionFailure): boolean => status === undefined || status >= 500;

export type OriginAnswer<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | { readonly kind: 'failed'; readonly failure: RegionFailure };

export type ManifestAnswer =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'manifest'; readonly json: string; readonly etag: string | undefined };

export interface OriginClient {
  /** One result per query, in order. */
  readLists(region: Region, queries: readonly ListQuery[], call: Call): Promise<OriginAnswer<ListResult[]>>;
  /** `etag` is that of the current manifest, if there is one. */
  readManifest(region: Region, etag: string | undefined, call: Call): Promise<OriginAnswer<ManifestAnswer>>;
  /** Hands the counts of this isolate over. */
  sendReport(region: Region, report: EdgeReport, call: Call): Promise<OriginAnswer<void>>;
  /** The JSON of a document of the manifest. */
  readDocument(region: Region, name: DocumentName, call: Call): Promise<OriginAnswer<string>>;
}

interface OriginClientOptions {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly side: CounterSide;
  /** Accounts for the bodies of lists. Default: they are not accounted for. */
  readonly inFlight?: ByteAccount;
  readonly log: Log;
  readonly builds: Builds;
  readonly internalTokens: InternalTokens;
  /** How long lists stay in the cache that this client fills. Default: the origin is not told. */
  readonly residenceMs?: () => number | undefined;
  /** Maximum duration of one call in milliseconds, its body included. */
  readonly timeoutMs: number;
}

interface Exchange<T> {
  readonly path: string;
  readonly init: RequestInit;
  readonly read: (response: Response) => Promise<T>;
}

export function createOriginClient(options: OriginClientOptions): OriginClient {
  const { fetch, clock, counters, side, inFlight, log, builds, internalTokens } = options;

  function makeHeaders(call: Call, timeoutMs: number, own: HeadersInit | undefined): Headers {
    const headers = new Headers(own);
    headers.set(MESSAGE_VERSION_HEADER, String(MESSAGE_VERSION));
    headers.set(DEADLINE_HEADER, String(timeoutMs));
    const residenceMs = options.residenceMs?.();
    if (residenceMs !== undefined) headers.set(RESIDENCE_HEADER, String(residenceMs));
    headers.set(REQUEST_ID_HEADER, call.requestId);
    const traceparent = call.trace?.traceparent() ?? withoutSample(call.traceparent);
    if (traceparent !== undefined) headers.set(TRACEPARENT_HEADER, traceparent);
    if (call.devLocation !== undefined) headers.set(DEV_LOCATION_HEADER, call.devLocation);
    return headers;
  }

  /** Sends a request with the edge's token. One that the origin refuses is repeated with the other secret's token. */
  async function fetchAs({ name }: Region, headers: Headers, send: () => Promise<Response>): Promise<Response> {
    const token = await internalTokens.get(name);
    headers.set('authorization', `Bearer ${token}`);
    const response = await send();
    const other = response.status === UNAUTHENTICATED ? await internalTokens.replace(name, token) : undefined;
    if (other === undefined) return response;
    await response.body?.cancel();
    headers.set('authorization', `Bearer ${other}`);
    return send();
  }

  async function exchange<T>(region: Region, call: Call, { path, init, read }: Exchange<T>): Promise<OriginAnswer<T>> {
    const timeoutMs = Math.max(1, Math.floor(Math.min(options.timeoutMs, remainingMs(call, clock))));
    let status: number | undefined;
    let retryAfterMs: number | undefined;
    const send = async (signal: AbortSignal): Promise<T> => {
      const url = `${trimSlash(region.origin)}${path}`;
      const headers = makeHeaders(call, timeoutMs, init.headers);
      const response = await fetchAs(region, headers, () =>
        fetch(url, { ...init, headers, redirect: 'manual', signal }),
      );
      status = response.status;
      builds.note(originPart(region.name), namedBy(response));
      retryAfterMs = isOverloaded(status)
        ? readRetryAfterMs(response.headers.get('retry-after'), clock.now())
        : undefined;
      return read(response);
    };
    try {
      return { kind: 'answered', value: await withTimeout(clock, timeoutMs, send, call.cancellation) };
    } catch (error) {
      const failure = { ...describeFailure(error, status), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
      if (failure.reason !== 'cancelled') {
        const about = describeRequest(call.requestId, call.traceparent);
        const { reason } = failure;
        log.warn('region_failed', { region: region.name, path, reason, status, ...about, ...describeError(error) });
      }
      return { kind: 'failed', failure };
    }
  }

  return {
    readLists: async (region, keys, call) => {
      counters.add(`${side}_origin_calls_total`);
      counters.add(`${side}_origin_reads_total`, keys.length);
      const body = JSON.stringify({ keys });
      // The load may outlive the request that started it, so it counts by itself while it is read.
      const own = inFlight?.open();
      const answer = await exchange(region, call, {
        path: LISTS_READ_PATH,
        init: { method: 'POST', body, headers: { 'content-type': JSON_TYPE } },
        read: async (response) => {
          await expectStatus(response, 200);
          const frames = await readBody(response, MAX_FRAMES_BYTES, own);
          own?.release();
          if (call.held?.tryAdd(frames.length) === false) throw new NoRoom();
          return decodeListFrames(frames, keys.length);
        },
      });
      own?.release();
      if (answer.kind === 'failed' && answer.failure.reason !== 'cancelled')
        counters.add(`${side}_origin_failures_total`);
      return answer;
    },
    readManifest: (region, etag, call) => {
      counters.add('edge_manifest_fetches_total');
      return exchange<ManifestAnswer>(region, call, {
        path: MANIFEST_PATH,
        init: { method: 'GET', headers: etag === undefined ? {} : { 'if-none-match': etag } },
        read: async (response) => {
          if (etag !== undefined && response.status === 304) return { kind: 'unchanged' };
          await expectStatus(response, 200);
          const json = decodeUtf8(await readBody(response, MAX_MANIFEST_BODY_BYTES));
          return { kind: 'manifest', json, etag: response.headers.get('etag') ?? undefined };
        },
      });
    },
    sendReport: (region, report, call) =>
      exchange<void>(region, call, {
        path: EDGE_REPORT_PATH,
        init: { method: 'POST', body: JSON.stringify(report), headers: { 'content-type': JSON_TYPE } },
        read: (response) => expectStatus(response, 204),
      }),
    readDocument: (region, { kind, version }, call) => {
      counters.add('edge_document_fetches_total');
      return exchange<string>(region, call, {
        path: `${DOCUMENTS_PATH}/${kind}/${version}`,
        init: { method: 'GET' },
        read: async (response) => {
          await expectStatus(response, 200);
          return decodeUtf8(await readBody(response, MAX_DOCUMENT_BYTES));
        },
      });
    },
  };
}

/**
 * The caller's context for a request that is not recorded here: no caller decides that origins record. The flag may
 * change only together with the span's id (W3C Trace Context, section 3.3).
 */
function withoutSample(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined) return undefined;
  const { traceId, isSampled } = parseTraceparent(traceparent);
  return isSampled ? formatTraceparent(traceId, makeSpanId(), { isSampled: false }) : traceparent;
}

const makeSpanId = (): string => crypto.randomUUID().replaceAll('-', '').slice(-16);

const namedBy = ({ headers }: Response): NamedBuild => ({
  build: headers.get(BUILD_HEADER),
  messages: readMessageVersion(headers.get(MESSAGE_VERSION_HEADER)),
});

/** More than a valid manifest has, so that one which is only too large is refused by its own check. */
const MAX_MANIFEST_BODY_BYTES = 1_048_576;

class UnexpectedStatus extends Error {
  override readonly name = 'UnexpectedStatus';
}

/** Cancels the body of an unexpected answer: an unread body would keep its connection. */
async function expectStatus(response: Response, status: number): Promise<void> {
  if (response.status === status) return;
  await response.body?.cancel();
  throw new UnexpectedStatus(`expected status ${status}, got ${response.status}`);
}

function describeFailure(error: unknown, status: number | undefined): RegionFailure {
  if (error instanceof WaitCancelled) return { reason: 'cancelled' };
  if (error instanceof WaitTimeout) return { reason: 'timeout' };
  if (error instanceof BodyTooLarge) return { reason: 'too-large', ...(status === undefined ? {} : { status }) };
  if (error instanceof NoRoom) return { reason: 'no-room', ...(status === undefined ? {} : { status }) };
  if (status === undefined) return { reason: 'connection' };
  return { reason: error instanceof UnexpectedStatus ? 'status' : 'undecodable', status };
}

export const UNAUTHENTICATED = problemOf('unauthenticated').status;

/** 503 is the origin's own answer, and 429 that of a balancer or a quota in front of it. */
export const isOverloaded = (status: number | undefined): boolean =>
  status === problemOf('overloaded').status || status === 429;

const trimSlash = (url: string): string => url.replace(/\/+$/, '');
