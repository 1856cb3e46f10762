// The worker's answer at STATUS_PATH: the regions as one isolate sees them, and the counters of that isolate.
import { z } from 'zod';
import { COUNTERS, type CounterName } from '../runtime/counters.ts';

export const STATUS_PATH = '/internal/v1/status';

const count = z.int().min(0);
const durationMs = z.number().min(0);

const regionStatusSchema = z.object({
  name: z.string(),
  /**
   * `ejected`: not used. `probing`: one probe is in flight. `refusing`: it refuses every call of the edge (4xx), so it
   * is tried last.
   */
  state: z.enum(['healthy', 'ejected', 'probing', 'refusing']),
  /** Expected round trip in milliseconds. */
  roundTripMs: durationMs,
  /** Whether the round trip includes measurements, and not the distance alone. */
  isMeasured: z.boolean(),
  /** p95 of the calls in milliseconds. Absent until there are enough samples. */
  p95Ms: durationMs.optional(),
  /** Ejections in a row. */
  ejections: count,
  /** Remaining time of the ejection in milliseconds; 0 if healthy. */
  ejectedForMs: durationMs,
  /** Calls. */
  attempts: count,
  /** Calls that failed. */
  failures: count,
});

export type RegionStatus = z.infer<typeof regionStatusSchema>;

const manifestStatusSchema = z.object({
  /**
   * `unconfirmed`: the last refresh failed, and the manifest is kept. `none`: every region failed, and no list can be
   * served. `unread`: no read has come to this isolate yet.
   */
  state: z.enum(['live', 'unconfirmed', 'none', 'unread']),
  version: count.optional(),
  /** Time since a region last confirmed it, in milliseconds. */
  confirmedForMs: durationMs.optional(),
  /** The regions that the last refresh asked, with the answer of each: `status 304`, `timeout`. */
  regions: z.array(z.object({ name: z.string(), answer: z.string() })),
  /** Switches, erasures and blocked items of the manifest. Absent in a worker of an earlier build. */
  effects: z
    .object({
      /** `name=value` of the switches that are on. */
      switches: z.array(z.string()),
      /** Users whose erasure is remembered, hidden ones included. */
      erasures: count,
      blockedItems: count,
    })
    .optional(),
});

export type ManifestStatus = z.infer<typeof manifestStatusSchema>;

const counterNames = Object.keys(COUNTERS) as readonly CounterName[];

/** A worker of another build lacks some counters, which are 0 then, and has others, which are left out. */
const countersSchema = z
  .record(z.string(), count)
  .transform(
    (found) => Object.fromEntries(counterNames.map((name) => [name, found[name] ?? 0])) as Record<CounterName, number>,
  );

const callerStatusSchema = z.object({
  /** `listeners`: callers without a service. `other`: services beyond the bound. */
  service: z.string(),
  reads: count,
  /** Reads that an origin answered. */
  originReads: count,
  /** Bytes of lists. */
  bytes: count,
  /** Requests refused by a limit. */
  refused: count,
});

export type CallerStatus = z.infer<typeof callerStatusSchema>;

const shadowStatusSchema = z.object({
  /** Answers of caches that were compared with Bigtable. */
  reads: count,
  differences: z.array(
    z.object({
      /** `isolate`, `colo`, `region`, or `origin` for an origin's memory. */
      tier: z.string(),
      /**
       * `stale`: the list of another generation. `truncated`: the begin of the list. `other`: other bytes.
       * `missing`: the cache says that there is no list. `surplus`: Bigtable has none.
       */
      kind: z.enum(['stale', 'truncated', 'other', 'missing', 'surplus']),
      count,
    }),
  ),
});

export type ShadowStatus = z.infer<typeof shadowStatusSchema>;

const buildStatusSchema = z.object({
  /** `worker`, `region-europe` for the objects of a region, `origin-europe`. */
  part: z.string(),
  /** `unnamed` for a part that tells none. */
  build: z.string(),
  /** MESSAGE_VERSION of that build. */
  messages: count,
});

export type BuildStatus = z.infer<typeof buildStatusSchema>;

const objectStatusSchema = z.object({
  /** Its name, for example `asia/3`. */
  object: z.string(),
  region: z.string(),
  /** Milliseconds of its fastest answer from memory, since the start of the isolate. */
  fastestMs: durationMs,
  /** From the caller to the region. Absent without coordinates, and in the local cloud. */
  km: count.optional(),
});

export type ObjectStatus = z.infer<typeof objectStatusSchema>;

export const edgeStatusSchema = z.object({
  /** In the order of this caller. */
  regions: z.array(regionStatusSchema),
  /** The live manifest of this isolate. */
  manifest: manifestStatusSchema,
  /** Budget of hedges and failovers: the current balance, and the reserve for the failure of a region. */
  budget: z.object({ tokens: z.number(), reserve: z.number() }),
  /** Since the start of the isolate. */
  counters: countersSchema,
  /** The cost of callers since the start of the isolate, by service. Absent in a worker of an earlier build. */
  callers: z.array(callerStatusSchema).readonly().optional(),
  /** Comparisons under the switch `shadow`. Absent in a worker of an earlier build. */
  shadow: shadowStatusSchema.optional(),
  /**
   * The worker's own build, and the last one that each object and origin named to this isolate. Absent in a worker of
   * an earlier build.
   */
  builds: z.array(buildStatusSchema).readonly().optional(),
  /** The region objects that have answered from memory. Absent in a worker of an earlier build. */
  objects: z.array(objectStatusSchema).readonly().optional(),
});

export type EdgeStatus = z.infer<typeof edgeStatusSchema>;
