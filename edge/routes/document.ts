// The OpenAPI document of the public routes, served at /openapi.json: assembled from the routes' contracts at the first
// request.
import { createRoute, type OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi';
import type { Context, Env } from 'hono';
import { isNotModified } from '../../shared/wire/if-none-match.ts';
import { requestIdOf } from '../request/request-id.ts';
import { hashText } from '../respond/etag.ts';
import { everyAnswer } from '../respond/every-answer.ts';
import { commonHeaders, refusals } from './openapi.ts';

const open = { method: 'get' as const, tags: ['service'], security: [] };

export const documentRoute = createRoute({
  ...open,
  path: '/openapi.json',
  operationId: 'getDocument',
  summary: 'This document',
  responses: {
    200: {
      description: 'The document.',
      headers: z.object({ ...commonHeaders, ETag: z.string(), 'Cache-Control': z.string() }),
      content: { 'application/json': { schema: z.looseObject({}) } },
    },
    304: {
      description: 'The caller has this document (If-None-Match).',
      headers: z.object({ ...commonHeaders, ETag: z.string() }),
    },
    405: refusals[405],
    421: refusals[421],
  },
});

export const healthRoute = createRoute({
  ...open,
  path: '/healthz',
  operationId: 'getHealth',
  summary: 'Whether the worker runs, and whether it has a manifest',
  responses: {
    200: {
      description: 'The worker runs.',
      headers: z.object(commonHeaders),
      content: {
        'application/json': {
          schema: z
            .object({
              status: z.enum(['ok']),
              manifest: z.enum(['live', 'unconfirmed', 'none', 'unread']).openapi({
                description:
                  'The manifest of this isolate. unconfirmed: no region confirms it, and it is kept. ' +
                  'none: no list can be served. unread: no read has come yet.',
              }),
              builds: z
                .array(z.object({ part: z.string(), build: z.string(), messages: z.int() }).openapi('Build'))
                .openapi({
                  description:
                    'The build of this worker, and the last one that each region object and origin named to this isolate.',
                }),
            })
            .openapi('Health'),
        },
      },
    },
    405: refusals[405],
    421: refusals[421],
  },
});

/** The contract of HEAD beside that of GET: the same without bodies. */
export function headOf(contract: RouteConfig): RouteConfig {
  const responses = Object.entries(contract.responses).map(([status, response]) => {
    const { content: _, ...rest } = response as { content?: unknown };
    return [status, rest];
  });
  return {
    ...contract,
    method: 'head',
    operationId: `${contract.operationId}Headers`,
    summary: `The headers alone: ${contract.summary}`,
    responses: Object.fromEntries(responses) as RouteConfig['responses'],
  };
}

/** Serves the document of all routes on `app`. */
export function serveDocument<E extends Env>(app: OpenAPIHono<E>): (c: Context) => Response {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A token of the configured identity provider.',
  });
  let document: { readonly json: string; readonly etag: string } | undefined;
  return (c) => {
    document ??= makeDocument(app);
    const { json, etag } = document;
    const headers = { ...everyAnswer(requestIdOf(c)), ETag: etag, 'Cache-Control': 'public, max-age=300' };
    if (isNotModified(c.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers });
    return new Response(json, { headers: { ...headers, 'Content-Type': 'application/json' } });
  };
}

function makeDocument<E extends Env>(app: OpenAPIHono<E>): { json: string; etag: string } {
  const json = JSON.stringify(
    app.getOpenAPI31Document({
      openapi: '3.2.0',
      info: {
        title: 'Earshot',
        version: '1',
        description: 'Personal recommendations from the edge nearest to the listener.',
        license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      },
      servers: [{ url: '/', description: 'The host that serves this document.' }],
      tags: [
        { name: 'recommendations', description: 'Lists of recommendations.' },
        { name: 'service', description: 'The service itself.' },
      ],
    }),
  );
  return { json, etag: `"${hashText(json)}"` };
}
