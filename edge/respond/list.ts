// The answer to a read, composed around the stored bytes of the list: they are cut, never parsed.

import { cutList } from '../../shared/domain/list.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { surroundBytes } from '../../shared/runtime/bytes.ts';
import type { LiveManifest } from '../manifest/store.ts';
import type { Read, Served } from '../reads/serve-reads.ts';
import type { Timings } from '../request/timings.ts';
import { serializeCacheStatus } from './cache-status.ts';
import { closeList, describeList, openList } from './compose.ts';
import { isNotModified, makeEtag } from './conditional.ts';
import { makeDebugHeaders } from './debug.ts';
import { EVERY_ANSWER } from './every-answer.ts';

interface ReadAnswer {
  readonly read: Read;
  readonly served: Served;
  /** What `served` was chosen under. */
  readonly live: LiveManifest;
  readonly limit: number;
  readonly ifNoneMatch: string | undefined;
  readonly deviceMaxAgeSeconds: number;
  readonly nowMs: number;
  /** Whether to add what only debuggers may see. */
  readonly debug: boolean;
  readonly timings: Timings;
  /** In the order in which the caller asks them. */
  readonly regions: readonly Region[];
}

/** How long a device may keep a list that stands in while regions fail, so that the listener's own is back soon after they are. */
const UNREACHABLE_MAX_AGE_SECONDS = 5;

/** 200 with the list, or 304 when the caller has it. */
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
  // A plain record until the answer is made of it: a Headers object would be copied then.
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
  served.standsInFor === 'unreachable'
    ? Math.min(deviceMaxAgeSeconds, UNREACHABLE_MAX_AGE_SECONDS)
    : deviceMaxAgeSeconds;

/**
 * Age counts from when a response was generated or last validated (RFC 9111, sections 4.2.3 and 4.3.4). A list under a generation never
 * changes, so a region that confirms the manifest validates every list that the manifest names. Counted from the day the list was stored,
 * Age would be beyond max-age for most hits and no device could keep one; with as much added to max-age, a device cache that is deaf to Age
 * would keep it for hours. Counted so, both keep it for what max-age says.
 */
const ageSecondsOf = (storedAtMs: number, { live, nowMs }: ReadAnswer): number =>
  Math.max(0, Math.floor((nowMs - Math.max(storedAtMs, live.checkedAtMs)) / 1000));
