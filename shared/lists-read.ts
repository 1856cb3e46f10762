// The body of `POST /internal/v1/lists:read`: which lists the edge asks an origin for. The answer's form is in list-frames.ts.
import { z } from 'zod';
import { isGeneration } from './generation.ts';
import { isLoadableUser, NAME_PATTERN } from './ids.ts';
import type { ListKey } from './keys.ts';
import { MAX_KEYS_PER_READ } from './list-frames.ts';

export const LISTS_READ_PATH = '/internal/v1/lists:read';
export const MANIFEST_PATH = '/internal/v1/manifest';
/** Milliseconds that the caller still has, as a whole number; the callee refuses what it cannot finish in them. */
export const DEADLINE_HEADER = 'earshot-deadline-ms';
/** `any` on answers of an origin that does not read its own cluster, because that is gone; not there else. */
export const SERVED_BY_HEADER = 'Earshot-Served-By';

/** One key of a `lists:read`, and what its asker needs of the answer. */
export interface ListAsk extends ListKey {
  /** The most that an answer from the origin's memory may be old, in milliseconds; an age, because clocks differ. Default: any will do. */
  readonly maxAgeMs?: number | undefined;
  /** Nobody waits for the answer: a refresh, a warm-up. Shed before all else. Default: false. */
  readonly isBackground?: boolean | undefined;
}

const listAskSchema = z.strictObject({
  surface: z.string().regex(NAME_PATTERN),
  variant: z.string().regex(NAME_PATTERN),
  generation: z.number().refine(isGeneration),
  user: z.string().refine(isLoadableUser),
  expand: z.literal('items').optional(),
  maxAgeMs: z.int().min(0).optional(),
  isBackground: z.boolean().optional(),
});

export const listsReadSchema = z.strictObject({ keys: z.array(listAskSchema).min(1).max(MAX_KEYS_PER_READ) });
