// The heartbeat of an origin process: its row in the table `heartbeats`, from which commands know the manifest that
// each process serves. Parsing keeps unknown fields: an origin of the next build may send them.
import { z } from 'zod';
import { cohortsSchema } from '../domain/cohort.ts';
import { describeIssues } from '../domain/describe-issues.ts';
import { NAME_PATTERN } from '../domain/ids.ts';

/** A number of a later form can only add fields. */
export const HEARTBEAT_FORMAT = 1;

/** EARSHOT_BUILD, and the id of a process. */
export const BUILD_PATTERN = /^[A-Za-z0-9.-]{1,64}$/;

const moment = z.int().nonnegative();

export const heartbeatSchema = z.looseObject({
  format: z.int().positive().default(HEARTBEAT_FORMAT),
  region: z.string().regex(NAME_PATTERN),
  /** Random, one for each start of a process. */
  process: z.string().regex(BUILD_PATTERN),
  /** Version of the package, then `+` and EARSHOT_BUILD if it is set. */
  build: z.string(),
  startedAtMs: moment,
  /** By the clock of the process. */
  writtenAtMs: moment,
  /** Version of the manifest that the process serves; 0 before it has one. */
  manifestVersion: z.int().nonnegative(),
  /** The process ends: commands do not wait for it. */
  isDraining: z.boolean().default(false),
  /** Sums of each running canary, by `surface/variant@generation` of the canary. */
  cohorts: z.record(z.string(), cohortsSchema).default({}),
});

export type Heartbeat = z.infer<typeof heartbeatSchema>;

/** Throws an Error that names each wrong field. */
export function parseHeartbeat(json: string): Heartbeat {
  const result = heartbeatSchema.safeParse(JSON.parse(json));
  if (!result.success) throw new Error(`the heartbeat is not valid: ${describeIssues(result.error)}`);
  return result.data;
}
