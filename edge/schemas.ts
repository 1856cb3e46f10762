// The schemas of the public API: the same ones validate requests and make the OpenAPI document.
import { z } from '@hono/zod-openapi';
import { ID_GRAMMAR, NAME_GRAMMAR, NAME_PATTERN, PUBLIC_ID_PATTERN } from '../shared/ids.ts';
import { DEFAULT_LIMIT, MAX_ITEMS } from '../shared/list.ts';
import { DEBUG_HEADER, DECISION_HEADER, REGIONS_HEADER } from './debug.ts';

const quote = (value: unknown): string => JSON.stringify(String(value).slice(0, 64));

const expected = (name: string, what: string) => ({
  error: ({ input }: { input?: unknown }) =>
    Array.isArray(input)
      ? `expected ${name} once, got it ${input.length} times`
      : `expected ${name} to be ${what}, got ${quote(input)}`,
});

const patterned = (name: string, pattern: RegExp, grammar: string) =>
  z.string(expected(name, grammar)).regex(pattern, expected(name, grammar));

const limitRule = expected('limit', `a whole number from 1 to ${MAX_ITEMS}`);
const limit = z
  .string(limitRule)
  .regex(/^([1-9]\d?|100)$/, limitRule)
  .transform(Number)
  .optional()
  .openapi({
    type: 'integer',
    minimum: 1,
    maximum: MAX_ITEMS,
    default: DEFAULT_LIMIT,
    description: 'The most items to answer with.',
  });

const fallback = z.enum(['popular', 'none'], expected('fallback', '"popular" or "none"')).optional().openapi({
  default: 'popular',
  description: 'What stands in when the user has no list: the popular list, or nothing (404).',
});

const variant = patterned('variant', NAME_PATTERN, NAME_GRAMMAR).optional().openapi({
  description: 'Reads this variant instead of the one that the rollout gives; needs the scope recs:preview.',
});

export const querySchema = z.strictObject({ limit, fallback, variant });

const debug = z
  .enum(['1'], expected(DEBUG_HEADER, '"1"'))
  .optional()
  .openapi({
    description: `Adds ${REGIONS_HEADER}, ${DECISION_HEADER} and the keys in Cache-Status; needs the scope recs:debug.`,
  });

export const headersSchema = z.object({ [DEBUG_HEADER]: debug });

const surface = patterned('surface', NAME_PATTERN, NAME_GRAMMAR).openapi({ example: 'home' });
const user = patterned('user', PUBLIC_ID_PATTERN, ID_GRAMMAR).openapi({ example: 'lastfm:2' });

export const ownParamsSchema = z.object({ surface });
export const userParamsSchema = z.object({ user, surface });

export const recommendationsSchema = z
  .object({
    user: z.string().regex(PUBLIC_ID_PATTERN),
    surface: z.string().regex(NAME_PATTERN),
    variant: z.string().regex(NAME_PATTERN).openapi({ description: "The user's own arm of the experiment." }),
    generation: z.iso.datetime({ precision: 3 }).openapi({ description: 'When the list was computed.' }),
    source: z
      .enum(['personal', 'popular'])
      .openapi({ description: "The user's own list, or the popular one that stands in." }),
    items: z
      .array(z.object({ id: z.string().regex(PUBLIC_ID_PATTERN), score: z.number() }))
      .max(MAX_ITEMS)
      .openapi({ description: 'The best first.' }),
  })
  .openapi('Recommendations');

export const problemSchema = z
  .object({
    type: z.string().openapi({ example: 'urn:earshot:problem:unknown_surface' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.string().openapi({ description: 'Stable; decide by this one.', example: 'unknown_surface' }),
    detail: z.string().optional(),
  })
  .openapi('Problem');
