// A fault of a region's origin, as its callers meet it: what `earshot fault` asks for and the proxies of the local
// cloud do.
import { z } from 'zod';

const expected = (what: string) => ({
  error: ({ input }: { input?: unknown }) => `expected ${what}, got ${JSON.stringify(input)}`,
});
const flag = z.boolean(expected('true or false'));

/** A number with its bounds, and the words for it. */
export interface Figure {
  readonly what: string;
  readonly schema: z.ZodNumber;
}

function makeFigure(unit: string, min: number, max: number): Figure {
  const what = `${unit} from ${min} to ${max}`;
  const refusal = expected(what);
  return { what, schema: z.number(refusal).min(min, refusal).max(max, refusal) };
}

export const DELAY_MS = makeFigure('milliseconds', 0, 600_000);
export const SHARE = makeFigure('a share', 0, 1);
export const BYTES_PER_SECOND = makeFigure('bytes per second', 1, 1_000_000_000);
export const ROWS_PER_SECOND = makeFigure('rows per second', 1, 1_000_000_000);

const MEMBERS = {
  /** Nobody listens, and connections that are open are cut. Default: false. */
  down: flag.optional(),
  /** Connections are taken, and nothing is ever answered on them. Default: false. */
  blackHole: flag.optional(),
  /** Connections are taken and reset at once. Default: false. */
  reset: flag.optional(),
  /** Added to requests, in milliseconds, 0 to 600 000. Default: 0. */
  latencyMs: DELAY_MS.schema.optional(),
  /** Share of requests that latency and jitter are added to, 0 to 1. Default: 1. */
  latencyShare: SHARE.schema.optional(),
  /** Up to this much more, evenly spread, in milliseconds, 0 to 600 000. Default: 0. */
  jitterMs: DELAY_MS.schema.optional(),
  /** Share of requests that are answered with status 500 instead of being passed on, 0 to 1. Default: 0. */
  errorShare: SHARE.schema.optional(),
  /** How fast bodies of answers come, in bytes per second, 1 to 1 000 000 000. Default: as fast as they can. */
  dripBytesPerSecond: BYTES_PER_SECOND.schema.optional(),
};
const NAMES = Object.keys(MEMBERS).join(', ');

/** Where nothing is answered, nothing else can be seen. */
const SILENCING = ['down', 'blackHole', 'reset'] as const;

export const regionFaultSchema = z
  .strictObject(MEMBERS, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `expected members of ${NAMES}, got ${(issue as unknown as { keys: string[] }).keys.join(', ')}`
        : `expected an object with members of ${NAMES}, got ${JSON.stringify(issue.input)}`,
  })
  .refine((fault) => SILENCING.every((name) => !fault[name]) || Object.values(fault).filter(Boolean).length === 1, {
    error: ({ input }) => `expected ${SILENCING.join(', ')} each to stand alone, got ${JSON.stringify(input)}`,
  });

/** `{}` is none. */
export type RegionFault = z.infer<typeof regionFaultSchema>;

/** What `GET /regions` of the local cloud answers, and `PUT /regions/{name}/fault` with what it then is. */
export const regionFaultsSchema = z.object({
  regions: z.array(z.object({ name: z.string(), fault: regionFaultSchema })),
});
