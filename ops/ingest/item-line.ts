// One line of a file of items: a JSON object with its `id`, stored as it stands.
import { z } from 'zod';
import { ID_GRAMMAR, PUBLIC_ID_PATTERN } from '../../shared/domain/ids.ts';
import { parseLine } from './parse-line.ts';

export interface ItemLine {
  readonly id: string;
  /** One JSON object. */
  readonly value: string;
}

/** An answer with 100 items carries the metadata of each. */
const MAX_ITEM_BYTES = 16 * 1024;

const itemSchema = z.looseObject({ id: z.string().regex(PUBLIC_ID_PATTERN, `expected an item id: ${ID_GRAMMAR}`) });

/** Throws an Error that says what was expected and what came. */
export function parseItemLine(text: string): ItemLine {
  const { id } = parseLine(text, itemSchema);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_ITEM_BYTES) throw new Error(`expected an item of at most ${MAX_ITEM_BYTES} bytes, got ${bytes}`);
  return { id, value: text };
}
