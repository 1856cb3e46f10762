// CORS for players in browsers, on pages of the configured origins (Fetch, section 3.3). The worker reads no cookies,
// so credentials are not allowed. A page sets its token in Authorization.
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { REQUEST_ID_HEADER } from '../../shared/wire/request-id.ts';
import { requestIdOf } from '../request/request-id.ts';
import { VARIANT_HEADER } from '../respond/assignment.ts';
import { BUILDS_HEADER, DECISION_HEADER, REGIONS_HEADER } from '../respond/debug.ts';
import { everyAnswer } from '../respond/every-answer.ts';
import { EXPOSURE_HEADER } from '../respond/exposure.ts';

/** Maximum age of a preflight answer in a browser. It is Chromium's upper bound. */
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

/** The headers that a page may read besides the safelisted ones (Fetch, section 3.2.6). */
export const EXPOSED_HEADERS = [
  ...[
    'Accept',
    'Accept-Query',
    'Allow',
    'Cache-Status',
    'ETag',
    'RateLimit',
    'RateLimit-Policy',
    'Retry-After',
    'Server-Timing',
    'WWW-Authenticate',
  ],
  ...[REQUEST_ID_HEADER, VARIANT_HEADER, EXPOSURE_HEADER, REGIONS_HEADER, DECISION_HEADER, BUILDS_HEADER],
];

export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const allowed = new Set(origins);
  // Without `allowHeaders` a preflight is answered with the headers that it asks for: tracing libraries add headers of
  // their own to a page's requests, and one that is missing from a list would break the page (docs/decisions/0025).
  const allow = cors({
    origin: [...origins],
    allowMethods: ['GET', 'HEAD', 'POST', 'QUERY'],
    exposeHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
  });
  return (c, next) => {
    // The middleware itself answers a preflight, without the common headers.
    if (c.req.method === 'OPTIONS')
      for (const [name, value] of Object.entries(everyAnswer(requestIdOf(c)))) c.header(name, value);
    // Without it a browser hides Server-Timing and the times of the connection from the page (Resource Timing, 4.5).
    const origin = c.req.header('origin');
    if (origin !== undefined && allowed.has(origin)) c.header('Timing-Allow-Origin', origin);
    return allow(c, next);
  };
}
