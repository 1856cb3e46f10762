// The schemas of the public API. They validate requests and make the OpenAPI document. batch/schemas.ts has those of
// batches.
import { z } from '@hono/zod-openapi';
import {
  ID_GRAMMAR,
  NAME_GRAMMAR,
  NAME_PATTERN,
  type Name,
  PUBLIC_ID_PATTERN,
  type UserId,
} from '../../shared/domain/ids.ts';
import { DEFAULT_LIMIT, MAX_ITEMS } from '../../shared/domain/list.ts';
import { DEADLINE_GRAMMAR, DEADLINE_HEADER, DEADLINE_PATTERN } from '../../shared/wire/deadline.ts';
import { BUILDS_HEADER, DEBUG_HEADER, DECISION_HEADER, REGIONS_HEADER } from '../respond/debug.ts';
import { expected, expectedOnce, patterned, type Refusal } from './expected.ts';

export const limitRange = {
  type: 'integer',
  minimum: 1,
  maximum: MAX_ITEMS,
  // No `default`: generators make a member with a default mandatory in what a client sends.
  description: `Maximum number of items. Default: ${DEFAULT_LIMIT}.`,
} as const;
export const LIMIT_GRAMMAR = `a whole number from 1 to ${MAX_ITEMS}`;

/** The types of the checks in shared/domain/ids.ts, which have the same patterns. */
function named(refusal: Refusal) {
  return patterned(NAME_PATTERN, refusal) as unknown as z.ZodType<Name, string>;
}

function identified(refusal: Refusal) {
  return patterned(PUBLIC_ID_PATTERN, refusal) as unknown as z.ZodType<UserId, string>;
}

/** `refuse` is expectedOnce for a query parameter, and expected for a member of a JSON object. */
export const makeFallback = (refuse: (name: string, what: string) => Refusal) =>
  z.enum(['popular', 'none'], refuse('fallback', '"popular" or "none"')).optional().openapi({
    description: 'The fallback for a user without a list: the popular list (default), or none (404).',
  });

/** As makeFallback. */
export const makeVariant = (refuse: (name: string, what: string) => Refusal) =>
  named(refuse('variant', NAME_GRAMMAR)).optional().openapi({
    description: "Reads this variant instead of the rollout's choice; needs the scope recs:preview.",
  });

/** As makeFallback. */
export const makeExpand = (refuse: (name: string, what: string) => Refusal) =>
  z.enum(['items'], refuse('expand', '"items"')).optional().openapi({
    description: "Adds each item's metadata. If only the list without metadata can be reached, no item has metadata.",
  });

const limitOnce = expectedOnce('limit', LIMIT_GRAMMAR);

export const querySchema = z.strictObject({
  limit: z
    .string(limitOnce)
    .refine((text) => /^[1-9]\d{0,8}$/.test(text) && Number(text) <= MAX_ITEMS, limitOnce)
    .transform(Number)
    .optional()
    .openapi(limitRange),
  fallback: makeFallback(expectedOnce),
  variant: makeVariant(expectedOnce),
  expand: makeExpand(expectedOnce),
});

/** ISO 3166-1 alpha-2. */
const COUNTRY_PATTERN = /^[A-Z]{2}$/;

/** As makeFallback. */
export const makeCountry = (refuse: (name: string, what: string) => Refusal) =>
  patterned(COUNTRY_PATTERN, refuse('country', 'two letters A-Z, as in ISO 3166-1'))
    .optional()
    .openapi({ description: "The user's country, for experiments that target countries.", example: 'SE' });

/** A read of a named user comes from a service, whose own country says nothing of the user. */
export const userQuerySchema = querySchema.extend({ country: makeCountry(expectedOnce) });

const debug = z
  .enum(['1'], expected(DEBUG_HEADER, '"1"'))
  .optional()
  .openapi({
    description: `Adds ${REGIONS_HEADER}, ${DECISION_HEADER}, ${BUILDS_HEADER} and the keys in Cache-Status; needs the scope recs:debug.`,
  });

const deadline = patterned(DEADLINE_PATTERN, expected(DEADLINE_HEADER, DEADLINE_GRAMMAR)).optional().openapi({
  description: 'Remaining time of the caller in milliseconds. Work that cannot end in time is not started.',
});

export const headersSchema = z.object({ [DEBUG_HEADER]: debug, [DEADLINE_HEADER]: deadline });

export const surface = named(expected('surface', NAME_GRAMMAR)).openapi({ example: 'home' });
export const user = identified(expected('user', ID_GRAMMAR)).openapi({ example: 'lastfm:2' });

export const ownParamsSchema = z.object({ surface });
export const userParamsSchema = z.object({ user, surface });

const itemSchema = z.object({
  id: z.string().regex(PUBLIC_ID_PATTERN),
  score: z.number(),
  metadata: z
    .looseObject({})
    .optional()
    .openapi({ description: 'With expand=items: the metadata of the item, if there is any.' }),
});

export const recommendationsSchema = z
  .object({
    user: z.string().regex(PUBLIC_ID_PATTERN),
    surface: z.string().regex(NAME_PATTERN),
    variant: z.string().regex(NAME_PATTERN).openapi({ description: "The user's own arm of the experiment." }),
    generation: z.iso.datetime({ precision: 3 }).openapi({ description: 'When the list was computed.' }),
    source: z
      .enum(['personal', 'popular'])
      .openapi({ description: "The user's own list, or the popular list as a fallback." }),
    items: z.array(itemSchema).max(MAX_ITEMS).openapi({ description: 'Best first.' }),
  })
  .openapi('Recommendations');

export const problemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:earshot:problem:unknown_surface' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.string().openapi({ description: 'Stable: clients should branch on it.', example: 'unknown_surface' }),
    detail: z.string().optional(),
  })
  .openapi('Problem');
