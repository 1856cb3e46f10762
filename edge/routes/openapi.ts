// The contract of the public routes, for validation and for /openapi.json. batch/route.ts has the contract of batches.
import { createRoute, z } from '@hono/zod-openapi';
import { REQUEST_ID_HEADER } from '../../shared/wire/request-id.ts';
import { VARIANT_HEADER } from '../respond/assignment.ts';
import { BUILDS_HEADER, DECISION_HEADER, REGIONS_HEADER } from '../respond/debug.ts';
import { EXPOSURE_HEADER } from '../respond/exposure.ts';
import {
  headersSchema,
  ownParamsSchema,
  problemSchema,
  querySchema,
  recommendationsSchema,
  userParamsSchema,
  userQuerySchema,
} from './schemas.ts';

/** Of every answer. */
export const commonHeaders = {
  [REQUEST_ID_HEADER]: z.string().openapi({
    description:
      "Id of the request in Earshot's logs: the caller's own, the trace id of its traceparent, or a new one.",
  }),
};

const header = (description: string) => z.string().openapi({ description });

export const problem = (description: string, headers: Record<string, z.ZodType> = {}) => ({
  description,
  headers: z.object({ ...commonHeaders, ...headers }),
  content: { 'application/problem+json': { schema: problemSchema } },
});

const cacheStatus = header('Every cache and region that was asked (RFC 9211).');
const regions = header('With Earshot-Debug: the regions in the order of this caller.')
  .optional()
  .openapi({ example: 'asia, us, europe' });
const builds = z
  .string()
  .optional()
  .openapi({
    description:
      'With Earshot-Debug: the build of the worker, and the last one that each object and origin named to it, each with ' +
      'the version of its messages.',
    example: 'worker="3f2c9a1";messages=3, origin-europe="0.1.0+3f2c9a1";messages=3',
  });
const debugHeaders = {
  [REGIONS_HEADER]: regions,
  [BUILDS_HEADER]: builds,
  [DECISION_HEADER]: z
    .string()
    .optional()
    .openapi({
      description:
        'With Earshot-Debug: the version of the manifest; the variant, with the reason as in Earshot-Variant; ' +
        'the requested generation, current or previous during a ramp; ' +
        'the source of the list, with the reason for a fallback.',
      example:
        'manifest=17, variant=control;by=weight;experiment=home;salt="home-1", generation=1795402800000;by=current, source=popular;by=absent',
    }),
};
const retryAfter = { 'Retry-After': header('Seconds after which the request may be tried again.') };
const limitHeaders = {
  ...retryAfter,
  'RateLimit-Policy': header('The limit: its tokens, and the seconds in which they are refilled.').optional(),
  RateLimit: header('The tokens that are left, and the seconds until there are enough.').optional(),
};
const challenge = { 'WWW-Authenticate': header('The challenge, with the reason of the refusal (RFC 6750).') };
const trailHeaders = { 'Cache-Status': cacheStatus.optional(), [REGIONS_HEADER]: regions };

const validators = {
  ETag: header('Tag of this representation, for If-None-Match.'),
  'Cache-Control': header('How long the device of the listener may keep the answer, from now on.').openapi({
    example: 'private, max-age=60',
  }),
  Vary: z.string(),
  'Cache-Status': cacheStatus,
  [VARIANT_HEADER]: header(
    'The variant; the experiment that decided, or the surface, or holdout; and the reason.',
  ).openapi({
    example: 'knn;experiment=ranking;by=bucket',
  }),
  [EXPOSURE_HEADER]: header('The token of the exposure, to be sent back when the list is shown.').optional(),
  'Server-Timing': header('How long each step took, in milliseconds.'),
};

/** Refusals that every route shares. */
export const refusals = {
  421: problem('The worker does not serve this host.'),
  405: problem('The path has other methods.', { Allow: header('The methods of the path.') }),
  500: problem('An internal error.'),
} as const;

export const answers = {
  200: {
    description: 'The list.',
    headers: z.object({ ...commonHeaders, ...validators, ...debugHeaders }),
    content: { 'application/json': { schema: recommendationsSchema } },
  },
  304: {
    description: 'The caller has this list (If-None-Match).',
    headers: z.object({ ...commonHeaders, ...validators, ...debugHeaders }),
  },
  400: problem('A parameter is not valid.'),
  401: problem('The bearer token is missing or not valid.', challenge),
  403: problem('The token does not allow this.', challenge),
  404: problem('There is no such surface or variant, or nothing for this user.', trailHeaders),
  ...refusals,
  413: problem('The list has more bytes than an answer may have.'),
  429: problem('The limit of the caller is reached.', limitHeaders),
  503: problem('No region could be reached; try again.', { ...retryAfter, ...trailHeaders }),
  504: problem('The deadline of the caller passed.', retryAfter),
} as const;

const shared = { method: 'get' as const, tags: ['recommendations'], security: [{ bearer: [] }], responses: answers };

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
  request: { params: userParamsSchema, query: userQuerySchema, headers: headersSchema },
});
