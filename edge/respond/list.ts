// The answer to a read, composed around the stored bytes of the list: they are cut, never parsed.
import { cutList } from '../../shared/domain/list.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { surroundBytes } from '../../shared/runtime/bytes.ts';
import type { LiveManifest } from '../manifest/store.ts';
import type { Read } from '../reads/fallback.ts';
import type { Served } from '../reads/serve-reads.ts';
import type { Timings } from '../request/timings.ts';
import { serializeCacheStatus } from './cache-status.ts';
import { closeList, describeList, openList } from './compose.ts';
import { isNotModified, makeEtag } from './conditional.ts';
import { makeDebugHeaders } from './debug.ts';
import { EVERY_ANSWER } from './every-answer.ts';

interface ReadAnswer {
  readonly read: Read;
  readonly served: Served;
  /** The manifest that `served` was chosen under. */
  readonly live: LiveManifest;
  readonly limit: number;
  readonly ifNoneMatch: string | undefined;
  readonly deviceMaxAgeSeconds: number;
  readonly nowMs: number;
  /** Whether to add debug output. */
  readonly debug: boolean;
  readonly timings: Timings;
  /** In the caller's order. */
  readonly regions: readonly Region[];
}

/**
 * Maximum age on a device of a fallback that is served while regions fail. The listener's own list is back soon after
 * they are.
 */
const UNREACHABLE_MAX_AGE_SECONDS = 5;

/** 200 with the list, or 304 if the caller has it. */
export function respondWithList(answer: ReadAnswer): Response {
  const { served, limit } = answer;
  const prefix = openList(describeList(answer.read, served));
  const etag = makeEtag(served.list.digest, prefix, limit);
  const headers = makeHeaders(answer, etag);
  if (isNotModified(answer.ifNoneMatch, etag)) return new Response(null, { status: 304, headers });
  headers['Content-Type'] = 'application/json';
  return new Response(surroundBytes(prefix, cutList(served.list.bytes, limit), closeList), { headers });
}

function makeHeaders(answer: ReadAnswer, etag: string): Record<string, string> {
  const { read, served, live, nowMs, debug, timings, regions } = answer;
  // A record until the response is made: the Response constructor would copy a Headers object.
  const headers: Record<string, string> = {
    ...EVERY_ANSWER,
    ETag: etag,
    'Cache-Control': `private, max-age=${maxAgeSecondsOf(answer)}`,
    Vary: 'Authorization',
    'Cache-Status': serializeCacheStatus(served.trails, nowMs, debug),
    'Server-Timing': timings.serialize(),
  };
  if (served.storedAtMs !== undefined) headers.Age = String(ageSecondsOf(served.storedAtMs, answer));
  if (debug) Object.assign(headers, makeDebugHeaders(read, served, live.manifest, regions));
  return headers;
}

const maxAgeSecondsOf = ({ served, deviceMaxAgeSeconds }: ReadAnswer): number =>
  served.fallbackReason === 'unreachable'
    ? Math.min(deviceMaxAgeSeconds, UNREACHABLE_MAX_AGE_SECONDS)
    : deviceMaxAgeSeconds;

/**
 * Age counts from the generation or last validation of a response (RFC 9111, sections 4.2.3 and 4.3.4). A list under a
 * generation is immutable, so a region that confirms the manifest validates every list that the manifest names. Counted
 * from the day of storage, Age would exceed max-age for most hits, and no device could keep an answer.
 */
const ageSecondsOf = (storedAtMs: number, { live, nowMs }: ReadAnswer): number =>
  Math.max(0, Math.floor((nowMs - Math.max(storedAtMs, live.checkedAtMs)) / 1000));
