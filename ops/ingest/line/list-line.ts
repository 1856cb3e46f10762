// One line of a file of lists, `{"user":"...","items":[{"id":"...","score":1.0}, ...]}`, converted to the stored form.
// Scores keep their spelling in the file.
import { z } from 'zod';
import { ID_GRAMMAR, isLoadableUser, PUBLIC_ID_PATTERN, type UserId } from '../../../shared/domain/ids.ts';
import { encodeItem, ITEM_SEPARATOR, MAX_ITEMS } from '../../../shared/domain/list.ts';
import { parseLine } from './parse-line.ts';

export interface ListLine {
  readonly user: UserId;
  /** The stored form (shared/domain/list.ts). */
  readonly value: string;
}

/** Throws an Error with the expected form and the received value. */
export function parseListLine(text: string): ListLine {
  return parseCanonical(text) ?? parseAnyForm(text);
}

const id = '[A-Za-z0-9._:@|+-][A-Za-z0-9._~:@|+-]{0,127}';
const score = '-?(?:0|[1-9]\\d{0,14})(?:\\.\\d{1,20})?(?:[eE][+-]?\\d{1,2})?';
const item = `\\{"id":"${id}","score":${score}\\}`;
const canonicalLine = new RegExp(
  `^\\{"user":"(${id}|~popular)","items":\\[(${item}(?:,${item}){0,${MAX_ITEMS - 1}})\\]\\}$`,
);

/**
 * The canonical spelling of a line. A match is much faster than parsing with the scores' texts (`npm run bench --
 * parse`).
 */
function parseCanonical(text: string): ListLine | undefined {
  const match = canonicalLine.exec(text);
  if (match === null) return undefined;
  const [, user, items] = match;
  if (!isLoadableUser(user) || items === undefined) return undefined;
  return { user, value: items.replaceAll('},{', `}${ITEM_SEPARATOR}{`) };
}

const listSchema = z.strictObject({
  user: z.string().refine(isLoadableUser, `expected a user id: ${ID_GRAMMAR}`) as unknown as z.ZodType<UserId, string>,
  items: z
    .array(
      z.strictObject({
        id: z.string().regex(PUBLIC_ID_PATTERN, `expected an item id: ${ID_GRAMMAR}`),
        score: z.number(),
      }),
    )
    .min(1, `expected 1 to ${MAX_ITEMS} items`)
    .max(MAX_ITEMS, `expected 1 to ${MAX_ITEMS} items`),
});

function parseAnyForm(text: string): ListLine {
  const { user, items } = parseLine(text, listSchema);
  const sources = scoreSources(text);
  return {
    user,
    value: items.map((each, i) => encodeItem(each.id, sources[i] ?? String(each.score))).join(ITEM_SEPARATOR),
  };
}

/** The scores of a valid line in their spelling. Source: TC39, JSON.parse source text access. */
function scoreSources(text: string): string[] {
  const toSource = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' ? context?.source : value;
  const list = JSON.parse(text, toSource) as { items: { score: string }[] };
  return list.items.map((each) => each.score);
}
