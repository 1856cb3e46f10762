// The answer to a read, composed around the stored bytes of the list: they are cut, never parsed.
import { cutList } from '../../shared/domain/list.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { surroundBytes } from '../../shared/runtime/bytes.ts';
import { isNotModified } from '../../shared/wire/if-none-match.ts';
import type { Builds } from '../builds.ts';
import type { Read } from '../reads/fallback.ts';
import type { Served } from '../reads/serve-reads.ts';
import type { Timings } from '../request/timings.ts';
import { serializeAssignment, VARIANT_HEADER } from './assignment.ts';
import { serializeCacheStatus } from './cache-status.ts';
import { closeList, describeList, openList } from './compose.ts';
import { makeDebugHeaders } from './debug.ts';
import { makeEtag } from './etag.ts';
import { everyAnswer } from './every-answer.ts';
import { EXPOSURE_HEADER } from './exposure.ts';
import { LARGE_ANSWER_BYTES, makeTooLarge, type RespondLarge } from './large-answer.ts';

interface ReadAnswer {
  readonly requestId: string;
  readonly read: Read;
  readonly served: Served;
  /** The exposure as serializeExposure makes it. Undefined: the answer carries none. */
  readonly exposure: string | undefined;
  /** The manifest that `served` was chosen under. */
  readonly manifest: Manifest;
  readonly limit: number;
  readonly ifNoneMatch: string | undefined;
  readonly deviceMaxAgeSeconds: number;
  readonly nowMs: number;
  /** Whether to add debug output. */
  readonly debug: boolean;
  readonly timings: Timings;
  /** In the caller's order. */
  readonly regions: readonly Region[];
  readonly builds: Builds;
  /** Whether the request is HEAD: then there is no body. */
  readonly isHead: boolean;
  readonly maxBytes: number;
  readonly respondLarge: RespondLarge;
  waitUntil(work: Promise<unknown>): void;
}

/**
 * Maximum age on a device of a fallback that is served while regions fail. The listener's own list is back soon after
 * they are.
 */
const UNREACHABLE_MAX_AGE_SECONDS = 5;

/** 200 with the list, or 304 if the caller has it. Throws `answer_too_large`, or `overloaded` for a large list. */
export function respondWithList(answer: ReadAnswer): Response {
  const { served, limit } = answer;
  const prefix = openList(describeList(answer.read, served));
  const etag = makeEtag(served.list.digest, prefix, limit);
  const headers = makeHeaders(answer, etag);
  if (isNotModified(answer.ifNoneMatch, etag)) return new Response(null, { status: 304, headers });
  headers['Content-Type'] = 'application/json';
  const list = cutList(served.list.bytes, limit);
  const bytes = prefix.length + list.length + closeList.length;
  if (bytes < LARGE_ANSWER_BYTES) return new Response(surroundBytes(prefix, list, closeList), { headers });
  if (bytes > answer.maxBytes) throw makeTooLarge(answer.maxBytes, 'read fewer items with limit');
  if (answer.isHead) return new Response(null, { headers });
  return answer.respondLarge({ texts: [prefix, closeList], lists: [list] }, headers, answer.waitUntil);
}

function makeHeaders(answer: ReadAnswer, etag: string): Record<string, string> {
  const { served, manifest, nowMs, debug, timings, regions, builds } = answer;
  // A record until the response is made: the Response constructor would copy a Headers object.
  const headers: Record<string, string> = {
    ...everyAnswer(answer.requestId),
    ETag: etag,
    'Cache-Control': `private, max-age=${maxAgeSecondsOf(answer)}`,
    Vary: 'Authorization',
    [VARIANT_HEADER]: serializeAssignment(served.assignment),
    'Cache-Status': serializeCacheStatus(served.trails, nowMs, debug),
    'Server-Timing': timings.serialize(),
  };
  if (answer.exposure !== undefined) headers[EXPOSURE_HEADER] = answer.exposure;
  if (debug) Object.assign(headers, makeDebugHeaders(served, manifest, regions, builds));
  return headers;
}

/**
 * How long a device may keep the answer from now on. There is no Age: it would be subtracted (RFC 9111, section 4.2),
 * and in an outage, when no region confirms the manifest, nothing would be left (docs/decisions/0024).
 */
const maxAgeSecondsOf = ({ served, deviceMaxAgeSeconds }: ReadAnswer): number =>
  served.fallbackReason === 'unreachable'
    ? Math.min(deviceMaxAgeSeconds, UNREACHABLE_MAX_AGE_SECONDS)
    : deviceMaxAgeSeconds;
