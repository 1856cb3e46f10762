// The body of `POST /internal/v1/lists:read`: which lists the edge asks an origin for. The answer's form is in list-frames.ts.
import { z } from 'zod';
import { isGeneration } from './generation.ts';
import { isLoadableUser, NAME_PATTERN } from './ids.ts';
import { MAX_KEYS_PER_READ } from './list-frames.ts';

export const LISTS_READ_PATH = '/internal/v1/lists:read';
export const MANIFEST_PATH = '/internal/v1/manifest';
/** Milliseconds that the caller still has, as a whole number; the callee refuses what it cannot finish in them. */
export const DEADLINE_HEADER = 'earshot-deadline-ms';

const listKeySchema = z.strictObject({
  surface: z.string().regex(NAME_PATTERN),
  variant: z.string().regex(NAME_PATTERN),
  generation: z.number().refine(isGeneration),
  user: z.string().refine(isLoadableUser),
});

export const listsReadSchema = z.strictObject({ keys: z.array(listKeySchema).min(1).max(MAX_KEYS_PER_READ) });
