// The answer to a read, composed around the stored bytes of the list: they are cut, never parsed.
import { concatBytes, encodeUtf8 } from '../shared/bytes.ts';
import { formatGeneration } from '../shared/generation.ts';
import { cutList } from '../shared/list.ts';
import { serializeCacheStatus } from './cache-status.ts';
import type { Call } from './call.ts';
import { isNotModified, makeEtag } from './conditional.ts';
import type { Read, Served } from './ladder.ts';

interface ReadAnswer {
  readonly read: Read;
  readonly served: Served;
  readonly limit: number;
  readonly ifNoneMatch: string | undefined;
  readonly deviceMaxAgeSeconds: number;
  readonly nowMs: number;
  readonly call: Call;
}

const SUFFIX = encodeUtf8(']}');

/** 200 with the list, or 304 when the caller has it. */
export function respondWithList(answer: ReadAnswer): Response {
  const { served, limit } = answer;
  const prefix = makePrefix(answer.read, served);
  const etag = makeEtag(served.list.digest, prefix, limit);
  const headers = makeHeaders(answer, etag);
  if (isNotModified(answer.ifNoneMatch, etag)) return new Response(null, { status: 304, headers });
  headers.set('Content-Type', 'application/json');
  return new Response(concatBytes([encodeUtf8(prefix), cutList(served.list.bytes, limit), SUFFIX]), { headers });
}

/** ASCII, because every part of it is. */
function makePrefix({ user, surface }: Read, { variant, source, list }: Served): string {
  const about = { user, surface, variant, generation: formatGeneration(list.generation), source };
  return `${JSON.stringify(about).slice(0, -1)},"items":[`;
}

function makeHeaders({ served, deviceMaxAgeSeconds, nowMs, call }: ReadAnswer, etag: string): Headers {
  const ageSeconds = served.storedAtMs === undefined ? 0 : Math.max(0, Math.floor((nowMs - served.storedAtMs) / 1000));
  const headers = new Headers({
    ETag: etag,
    // The device subtracts Age from max-age (RFC 9111, section 4.2): without it here, a list cached for an hour could not be kept at all.
    'Cache-Control': `private, max-age=${ageSeconds + deviceMaxAgeSeconds}`,
    Vary: 'Authorization',
    'Cache-Status': serializeCacheStatus(served.trails, nowMs),
    'Server-Timing': call.timings.serialize(),
  });
  if (served.storedAtMs !== undefined) headers.set('Age', String(ageSeconds));
  return headers;
}
