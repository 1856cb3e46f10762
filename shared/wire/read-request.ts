// The request `POST /internal/v1/lists:read`: the lists that the edge reads from an origin. read-response.ts has the
// answer.
import { z } from 'zod';
import { describeIssues } from '../domain/describe-issues.ts';
import { isGeneration } from '../domain/generation.ts';
import { isLoadableUser, NAME_PATTERN, type Name, type UserId } from '../domain/ids.ts';
import { isListKey, type ListKey } from '../domain/keys.ts';
import { MAX_KEYS_PER_READ } from './read-response.ts';

export const LISTS_READ_PATH = '/internal/v1/lists:read';
export const MANIFEST_PATH = '/internal/v1/manifest';
/** Before the kind and the version of a document. */
export const DOCUMENTS_PATH = '/internal/v1/documents';
/** `any` on answers of an origin that reads another cluster because its own is down. Otherwise absent. */
export const SERVED_BY_HEADER = 'Earshot-Served-By';

/** One key of a `lists:read`, with the caller's conditions. */
export interface ListQuery extends ListKey {
  /** Maximum age of a list from the origin's memory in milliseconds. An age, because clocks differ. Default: none. */
  readonly maxAgeMs?: number | undefined;
  /** No caller waits for the answer: a refresh or a warm-up. An overloaded origin sheds it first. Default: false. */
  readonly isBackground?: boolean | undefined;
  /** For a comparison with Bigtable: memory may not answer, and nothing is stored. Default: false. */
  readonly isShadow?: boolean | undefined;
}

const name = z.string().regex(NAME_PATTERN) as unknown as z.ZodType<Name, string>;
const user = z.string().refine(isLoadableUser) as unknown as z.ZodType<UserId, string>;

const moment = z.number().refine(isGeneration);

/** Fields that it does not know are ignored: a caller of the next build may send them. */
const listQuerySchema = z.looseObject({
  surface: name,
  variant: name,
  generation: moment,
  user,
  expand: z.literal('items').optional(),
  items: moment.optional(),
  coldFor: moment.optional(),
  maxAgeMs: z.int().min(0).optional(),
  isBackground: z.boolean().optional(),
  isShadow: z.boolean().optional(),
});

export const listsReadSchema = z.looseObject({ keys: z.array(listQuerySchema).min(1).max(MAX_KEYS_PER_READ) });

/** The keys of one request. A key that is not valid is refused alone: it may be of another caller than the others. */
export interface ParsedListsRead {
  /** The valid keys, in order. */
  readonly queries: readonly ListQuery[];
  /** Positions of the refused keys among all, in ascending order. */
  readonly refused: readonly number[];
  /** Each refused field with the type of its value: `keys.0.user: string of 3`. Never the value, which can be an id. */
  readonly refusedFields?: readonly string[];
}

/**
 * The keys of a body that was parsed from JSON. Throws an Error that names each field the schema refuses, if the body
 * has another form or no valid key.
 *
 * A valid body skips the schema, which takes longer than to parse the JSON (docs/decisions/0014).
 */
export function parseListsRead(body: unknown): ParsedListsRead {
  if (isValidListsRead(body)) return { queries: body.keys, refused: [] };
  const result = listsReadSchema.safeParse(body);
  if (result.success) return { queries: result.data.keys, refused: [] };
  const reason = describeIssues(result.error);
  const refused = new Set(result.error.issues.map(({ path: [, index] }) => index));
  const isAboutKeys = [...refused].every((index) => typeof index === 'number');
  const queries = isAboutKeys ? (body as { keys: ListQuery[] }).keys.filter((_, i) => !refused.has(i)) : [];
  if (queries.length === 0) throw new Error(reason);
  const refusedFields = result.error.issues.slice(0, MAX_SHOWN_FIELDS).map(({ path }) => describeField(body, path));
  return { queries, refused: ([...refused] as number[]).sort((a, b) => a - b), refusedFields };
}

const MAX_SHOWN_FIELDS = 5;

function describeField(body: unknown, path: readonly PropertyKey[]): string {
  const value = path.reduce<unknown>((parent, name) => (Object(parent) as Record<PropertyKey, unknown>)[name], body);
  const size = typeof value === 'string' || Array.isArray(value) ? ` of ${value.length}` : '';
  return `${path.join('.')}: ${Array.isArray(value) ? 'list' : typeof value}${size}`;
}

/** True only for a body that the schema accepts unchanged. */
function isValidListsRead(body: unknown): body is { readonly keys: readonly ListQuery[] } {
  if (typeof body !== 'object' || body === null) return false;
  const { keys } = body as { keys?: unknown };
  return Array.isArray(keys) && keys.length >= 1 && keys.length <= MAX_KEYS_PER_READ && keys.every(isValidListQuery);
}

function isValidListQuery(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { maxAgeMs, isBackground, isShadow } = value as Record<string, unknown>;
  return (
    isListKey(value) &&
    (maxAgeMs === undefined || (Number.isSafeInteger(maxAgeMs) && (maxAgeMs as number) >= 0)) &&
    (isBackground === undefined || typeof isBackground === 'boolean') &&
    (isShadow === undefined || typeof isShadow === 'boolean')
  );
}
