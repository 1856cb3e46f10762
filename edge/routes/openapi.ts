// The contract of the public routes, for validation and for /openapi.json. batch/route.ts has the contract of batches.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context, Env } from 'hono';
import { DECISION_HEADER, REGIONS_HEADER } from '../respond/debug.ts';
import { EVERY_ANSWER } from '../respond/every-answer.ts';
import {
  headersSchema,
  ownParamsSchema,
  problemSchema,
  querySchema,
  recommendationsSchema,
  userParamsSchema,
} from './schemas.ts';

export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});

const cacheStatus = z.string().openapi({ description: 'Every cache and region that was asked (RFC 9211).' });

/** The problem of a read without a list. */
const problemOfRead = (description: string) => ({
  ...problem(description),
  headers: z.object({ 'Cache-Status': cacheStatus.optional() }),
});

export const answers = {
  200: {
    description: 'The list.',
    headers: z.object({
      ETag: z.string(),
      'Cache-Control': z.string(),
      'Cache-Status': cacheStatus,
      'Server-Timing': z.string(),
      Age: z.string().optional().openapi({
        description:
          'If a cache served the list: seconds since it was stored, or since a region confirmed that it is live, if that is later.',
      }),
      [REGIONS_HEADER]: z.string().optional().openapi({
        description: 'With Earshot-Debug: the regions in the order of this caller.',
        example: 'asia, us, europe',
      }),
      [DECISION_HEADER]: z
        .string()
        .optional()
        .openapi({
          description:
            'With Earshot-Debug: the version of the manifest; the variant, chosen by weight or as a preview; the requested generation, current ' +
            'or previous during a ramp; the source of the list, with the reason for a fallback.',
          example:
            'manifest=17, variant=control;by=weight, generation=1795402800000;by=current, source=popular;by=absent',
        }),
    }),
    content: { 'application/json': { schema: recommendationsSchema } },
  },
  304: { description: 'The caller has this list (If-None-Match).' },
  400: problem('A parameter is not valid.'),
  401: problem('The bearer token is missing or not valid.'),
  403: problem('The token does not allow this.'),
  404: problemOfRead('There is no such surface or variant, or nothing for this user.'),
  500: problem('An internal error.'),
  503: problemOfRead('No region could be reached; try again.'),
} as const;

const shared = { method: 'get' as const, security: [{ bearer: [] }], responses: answers };

export const ownRoute = createRoute({
  ...shared,
  path: '/v1/me/recommendations/{surface}',
  operationId: 'getOwnRecommendations',
  summary: "The recommendations of the token's own user",
  request: { params: ownParamsSchema, query: querySchema, headers: headersSchema },
});

export const userRoute = createRoute({
  ...shared,
  path: '/v1/users/{user}/recommendations/{surface}',
  operationId: 'getUserRecommendations',
  summary: 'The recommendations of a named user: the own user, or any user with the scope recs:read:any',
  request: { params: userParamsSchema, query: querySchema, headers: headersSchema },
});

/** Serves the document of all routes on `app`. It is made at the first request. */
export function serveOpenApi<E extends Env>(app: OpenAPIHono<E>): (c: Context) => Response {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
  });
  let json: string | undefined;
  return () => {
    json ??= JSON.stringify(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'Earshot',
          version: '1',
          description: 'Personal recommendations from the edge nearest to the listener.',
        },
      }),
    );
    return new Response(json, {
      headers: { ...EVERY_ANSWER, 'Content-Type': 'application/json', 'Cache-Control': 'public, max-age=300' },
    });
  };
}
