// What the worker tells of itself at STATUS_PATH: the regions as one of its isolates sees them, and what that isolate
// has counted.
import { z } from 'zod';
import { COUNTERS, type CounterName } from '../runtime/counters.ts';

export const STATUS_PATH = '/internal/v1/status';

const count = z.int().min(0);
const durationMs = z.number().min(0);

const regionStatusSchema = z.object({
  name: z.string(),
  /** `ejected`: not asked. `probing`: asked once, to see whether it is back. */
  state: z.enum(['healthy', 'ejected', 'probing']),
  /** Expected, in milliseconds. */
  roundTripMs: durationMs,
  /** Whether that rests on calls, and not on the distance alone. */
  isMeasured: z.boolean(),
  /** What 95 of 100 calls stay below, in milliseconds; absent until enough were made. */
  p95Ms: durationMs.optional(),
  /** How often it was ejected. */
  ejections: count,
  /** How much longer it is ejected, in milliseconds; 0 when it is not. */
  ejectedForMs: durationMs,
  /** Calls. */
  attempts: count,
  /** Calls that failed. */
  failures: count,
});

export type RegionStatus = z.infer<typeof regionStatusSchema>;

const counterNames = Object.keys(COUNTERS) as [CounterName, ...CounterName[]];

export const edgeStatusSchema = z.object({
  /** In the order in which this caller would be asked. */
  regions: z.array(regionStatusSchema),
  /** Of hedges and failovers together: what may be spent now, and what is kept for when a region dies. */
  budget: z.object({ tokens: z.number(), reserve: z.number() }),
  /** Since the isolate began. */
  counters: z.record(z.enum(counterNames), count),
});

export type EdgeStatus = z.infer<typeof edgeStatusSchema>;
