// A release: one generation of a surface's variant, `home/control@2026-11-29T03:00:00.000Z`, or of the items,
// `items@2026-11-29T03:00:00.000Z`. Its record in the `control` table has its load, its state and its history.
import { z } from 'zod';
import { formatGeneration, isGeneration, parseGeneration } from '../../shared/domain/generation.ts';
import { isName, type Name } from '../../shared/domain/ids.ts';
import { UsageError } from '../cli/usage-error.ts';

/** A variant of a surface, whose releases follow each other. */
export interface Line {
  readonly surface: Name;
  readonly variant: Name;
}

export interface Release extends Line {
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

/** `home/control`. */
export const nameLine = ({ surface, variant }: Line): string => `${surface}/${variant}`;

/** `home/control@2026-11-29T03:00:00.000Z`. */
export const nameRelease = (release: Release): string => `${nameLine(release)}@${formatGeneration(release.generation)}`;

const FORM = 'surface/variant@generation, for example home/control@2026-11-29T03:00:00Z';

/** Parses `surface/variant` or `surface/variant@generation`. Throws a UsageError. */
export function parseRelease(text: string): Line & { readonly generation: number | undefined } {
  const [, surface, variant, moment] = /^([^/@]+)\/([^/@]+)(?:@(.+))?$/.exec(text) ?? [];
  const generation = moment === undefined ? undefined : parseGeneration(moment);
  if (isName(surface) && isName(variant) && (moment === undefined) === (generation === undefined))
    return { surface, variant, generation };
  throw new UsageError(`expected ${FORM}, got ${JSON.stringify(text)}`);
}

/** Parses `surface/variant@generation`. Throws a UsageError. */
export function parseWholeRelease(text: string): Release {
  const { generation, ...line } = parseRelease(text);
  if (generation === undefined) throw new UsageError(`expected ${FORM}, got ${JSON.stringify(text)}`);
  return { ...line, generation };
}

/** In the order of a life. `refused`, `rolled-back` and `blocked` are ends, too. */
export const STATES = [
  ...['loading', 'loaded', 'refused', 'checked', 'canary', 'ramping', 'live', 'backup'],
  ...['rolled-back', 'blocked', 'retired', 'dropped'],
] as const;

const count = z.int().nonnegative();
const spread = z.looseObject({ p50: z.number(), p99: z.number(), max: z.number() });

/** The lists that a load has written. */
export const summarySchema = z.looseObject({
  /** Lists. */
  lists: count,
  /** Lines that were not loaded. */
  rejects: count,
  /** Items of a list. */
  items: spread,
  /** Bytes of a list in the stored form. */
  bytes: spread,
  /** 16 hex digits: the sum of a hash of each row key and list, so the order of the lines does not matter. */
  checksum: z.string(),
});

export type ReleaseSummary = z.infer<typeof summarySchema>;

const moment = z.number().refine(isGeneration);

const transitionSchema = z.looseObject({
  /** A state that this build does not know is shown as it is, and nothing is done for it. */
  to: z.string(),
  by: z.string(),
  why: z.string().optional(),
  atMs: moment,
});

export type Transition = z.infer<typeof transitionSchema>;

/** Parsing keeps unknown fields: a newer `earshot` may write them. */
export const recordSchema = z.looseObject({
  format: z.int().positive().default(1),
  state: z.string(),
  /** Differs for every load, so that two loads of one generation know their own record. */
  loader: z.string().optional(),
  /** The loading process: `user@host, process 123`. */
  by: z.string().optional(),
  /** Lists and rejects so far. `summary` has more once the load is complete. */
  lists: count.default(0),
  rejected: count.default(0),
  summary: summarySchema.optional(),
  /** Oldest first. */
  transitions: z.array(transitionSchema).default([]),
  /** The step that a command has begun: the manifest says whether it was done. */
  intent: transitionSchema.optional(),
  /** The steps of a publication, so that `--resume` can go on with them. */
  plan: z.looseObject({}).optional(),
});

export type ReleaseRecord = z.infer<typeof recordSchema>;
