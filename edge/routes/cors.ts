// CORS for players in browsers, on pages of the configured origins (Fetch, section 3.3). The worker reads no cookies,
// so credentials are not allowed. A page sets its token in Authorization.
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { DEADLINE_HEADER } from '../../shared/wire/read-request.ts';
import { DEBUG_HEADER } from '../respond/debug.ts';
import { EVERY_ANSWER } from '../respond/every-answer.ts';

/** Maximum age of a preflight answer in a browser. It is Chromium's upper bound. */
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const allow = cors({
    origin: [...origins],
    allowMethods: ['GET', 'HEAD', 'POST', 'QUERY'],
    allowHeaders: ['Authorization', 'Content-Type', 'If-None-Match', 'traceparent', DEADLINE_HEADER, DEBUG_HEADER],
    exposeHeaders: ['ETag', 'Cache-Status', 'Server-Timing', 'Age'],
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
  });
  return (c, next) => {
    // The middleware itself answers a preflight, without the common headers.
    if (c.req.method === 'OPTIONS') for (const [name, value] of Object.entries(EVERY_ANSWER)) c.header(name, value);
    return allow(c, next);
  };
}
