// Players that run in a browser, on pages of the origins that were configured (Fetch, section 3.3). No cookie is ever taken, so credentials
// in that sense are not allowed; tokens come in Authorization, which a page has to set itself.
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { DEADLINE_HEADER } from '../../shared/wire/read-request.ts';
import { DEBUG_HEADER } from '../respond/debug.ts';
import { EVERY_ANSWER } from '../respond/every-answer.ts';

/** How long a browser may remember what a preflight said; Chromium remembers it no longer. */
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
    // A preflight is answered by the middleware itself, which knows nothing of them.
    if (c.req.method === 'OPTIONS') for (const [name, value] of Object.entries(EVERY_ANSWER)) c.header(name, value);
    return allow(c, next);
  };
}
