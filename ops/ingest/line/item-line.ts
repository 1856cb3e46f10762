// One line of a file of items: a JSON object with its `id`, stored unchanged.
import { z } from 'zod';
import { ID_GRAMMAR, PUBLIC_ID_PATTERN } from '../../../shared/domain/ids.ts';
import { parseLine } from './parse-line.ts';

export interface ItemLine {
  readonly id: string;
  /** One JSON object. */
  readonly value: string;
}

/** An answer can contain the metadata of 100 items. */
const MAX_ITEM_BYTES = 16 * 1024;

const itemSchema = z.looseObject({ id: z.string().regex(PUBLIC_ID_PATTERN, `expected an item id: ${ID_GRAMMAR}`) });

/** Throws an Error with the expected form and the received value. */
export function parseItemLine(text: string): ItemLine {
  const { id } = parseLine(text, itemSchema);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_ITEM_BYTES) throw new Error(`expected an item of at most ${MAX_ITEM_BYTES} bytes, got ${bytes}`);
  return { id, value: text };
}
