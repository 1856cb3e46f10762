// The answer to a read, composed around the stored bytes of the list: they are cut, never parsed.
import { concatBytes, encodeUtf8 } from '../shared/bytes.ts';
import { cutList } from '../shared/list.ts';
import { serializeCacheStatus } from './cache-status.ts';
import type { Call } from './call.ts';
import { closeList, describeList, openList } from './compose.ts';
import { isNotModified, makeEtag } from './conditional.ts';
import { addDebugHeaders } from './debug.ts';
import type { Read, Served } from './ladder.ts';
import type { LiveManifest } from './manifest-store.ts';

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
  readonly call: Call;
}

/** How long a device may keep a list that stands in while regions fail, so that the listener's own is back soon after they are. */
const UNREACHABLE_MAX_AGE_SECONDS = 5;

const SUFFIX = encodeUtf8(closeList);

/** 200 with the list, or 304 when the caller has it. */
export function respondWithList(answer: ReadAnswer): Response {
  const { served, limit } = answer;
  const prefix = openList(describeList(answer.read, served));
  const etag = makeEtag(served.list.digest, prefix, limit);
  const headers = makeHeaders(answer, etag);
  if (isNotModified(answer.ifNoneMatch, etag)) return new Response(null, { status: 304, headers });
  headers.set('Content-Type', 'application/json');
  return new Response(concatBytes([encodeUtf8(prefix), cutList(served.list.bytes, limit), SUFFIX]), { headers });
}

function makeHeaders(answer: ReadAnswer, etag: string): Headers {
  const { read, served, live, nowMs, debug, call } = answer;
  const headers = new Headers({
    ETag: etag,
    'Cache-Control': `private, max-age=${maxAgeSecondsOf(answer)}`,
    Vary: 'Authorization',
    'Cache-Status': serializeCacheStatus(served.trails, nowMs, debug),
    'Server-Timing': call.timings.serialize(),
  });
  if (served.storedAtMs !== undefined) headers.set('Age', String(ageSecondsOf(served.storedAtMs, answer)));
  if (debug) addDebugHeaders(headers, read, served, live.manifest, call);
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
