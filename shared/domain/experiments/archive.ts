// The archive of exposures between the worker and `earshot`: its path, and one line of an object.
import { z } from 'zod';

/** The last moment whose year has four digits, as in the names of the archive's hours. */
const LAST_MOMENT_MS = Date.UTC(10_000, 0) - 1;

export const ARCHIVE_PATH = '/internal/v1/exposures';

/** Unknown members are kept: a later worker may write them. */
export const archivedExposureSchema = z.looseObject({
  /** The same for each report of one token: readers drop the rest. */
  id: z.string(),
  /** Milliseconds since the epoch: when the worker was told. */
  atMs: z.int().min(0).max(LAST_MOMENT_MS),
  /** Hours since the epoch: when the token was made. */
  hour: z.int(),
  userRef: z.string(),
  experiment: z.string(),
  arm: z.string(),
  salt: z.string(),
  generation: z.int(),
  source: z.enum(['personal', 'popular']),
  reason: z.string(),
  tier: z.string(),
  region: z.string().optional(),
  country: z.string().optional(),
});

export type ArchivedExposure = z.infer<typeof archivedExposureSchema>;

export const listingSchema = z.object({ names: z.array(z.string()), cursor: z.string().optional() });
