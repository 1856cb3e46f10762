// The processes of the local cloud, as its launcher supervises them.
import { z } from 'zod';

export const partStatusSchema = z.object({
  /** `edge`, `origin/asia`, `bigtable` or `guard`. */
  name: z.string(),
  state: z.enum(['starting', 'ready']),
  pid: z.number().optional(),
  /** How often the part was started again. */
  restarts: z.number(),
  /** Its latest end: a signal or an exit code. */
  lastEnd: z.object({ atMs: z.number(), reason: z.string() }).optional(),
});

export type PartStatus = z.infer<typeof partStatusSchema>;

export const partsSchema = z.object({ parts: z.array(partStatusSchema) });
