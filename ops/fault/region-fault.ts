// A fault of a region's origin as its callers meet it. `earshot fault` sets it, and the region proxies apply it.
import { z } from 'zod';

const expected = (what: string) => ({
  error: ({ input }: { input?: unknown }) => `expected ${what}, got ${JSON.stringify(input)}`,
});
const flag = z.boolean(expected('true or false'));

/** A number with its bounds and their description. */
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
  /** The port is closed, and so are open connections. Default: false. */
  down: flag.optional(),
  /** Connections are accepted and never answered. Default: false. */
  blackHole: flag.optional(),
  /** Connections are accepted and reset. Default: false. */
  reset: flag.optional(),
  /** Delay of requests in milliseconds, 0 to 600 000. Default: 0. */
  latencyMs: DELAY_MS.schema.optional(),
  /** Share of requests with latency and jitter, 0 to 1. Default: 1. */
  latencyShare: SHARE.schema.optional(),
  /** Maximum additional delay in milliseconds, uniform, 0 to 600 000. Default: 0. */
  jitterMs: DELAY_MS.schema.optional(),
  /** Share of requests that get status 500 instead of the origin's answer, 0 to 1. Default: 0. */
  errorShare: SHARE.schema.optional(),
  /** Rate of answer bodies in bytes per second, 1 to 1 000 000 000. Default: unlimited. */
  dripBytesPerSecond: BYTES_PER_SECOND.schema.optional(),
};
const NAMES = Object.keys(MEMBERS).join(', ');

/** Faults without answers hide all others. */
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

/** `{}` is no fault. */
export type RegionFault = z.infer<typeof regionFaultSchema>;

/** The answer of `GET /regions` and of `PUT /regions/{name}/fault`. */
export const regionFaultsSchema = z.object({
  regions: z.array(z.object({ name: z.string(), fault: regionFaultSchema })),
});
