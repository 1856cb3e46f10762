// The manifest names the live lists: for each surface its variants with weights and generations, the release of the
// items, and the erased users. It is the one mutable document, replaced by compare-and-set. Parsing keeps unknown
// fields: a newer `earshot` may write them. A reader that does not know a field acts as if it were absent.
import { z } from 'zod';
import { encodeUtf8 } from '../runtime/bytes.ts';
import { describeIssues } from './describe-issues.ts';
import { experimentsSchema, holdoutsSchema, retiredSaltsSchema } from './experiments/schema.ts';
import { isGeneration } from './generation.ts';
import { NAME_GRAMMAR, NAME_PATTERN, type Name } from './ids.ts';

/** Weights are basis points. */
export const FULL_WEIGHT = 10_000;
/**
 * Maximum size in bytes. Every isolate parses the manifest, and Bigtable keeps 200 versions of it in one row.
 * Default: 256 KiB.
 */
export const MAX_MANIFEST_BYTES = 262_144;
/**
 * Versions grow by 1. A number beyond this bound was not written by `earshot`: a reader that accepted it would ignore
 * every later version.
 */
export const MAX_MANIFEST_VERSION = 1_000_000_000;
/** Maximum number of variants of a surface. */
export const MAX_VARIANTS = 32;
/** Maximum number of published generations that a variant names. Bigtable keeps fewer cells of a list. */
export const MAX_LINEAGE = 32;
/** Maximum share of users in a canary: the control cohort has as many. */
export const MAX_CANARY_SHARE = 0.25;
/** Six hours. A list under a generation is immutable, so this only bounds how long an unused one stays cached. */
export const DEFAULT_LIST_TTL_SECONDS = 21_600;

const surfaceName = z.string().regex(NAME_PATTERN, `expected ${NAME_GRAMMAR}`);
const variantName = surfaceName as unknown as z.ZodType<Name, string>;
/** Version of a document beside the manifest. */
const documentVersion = z.string().regex(/^[0-9a-z-]{1,64}$/, 'expected 1 to 64 of 0-9 a-z -');
/** Maximum number of documents of erasures. */
export const MAX_ERASURE_DOCUMENTS = 4;
const generation = z.number().refine(isGeneration, 'expected a generation in whole milliseconds since the epoch');
const moment = z.int().nonnegative();

const durationMs = z.int().nonnegative();

const flip = z.looseObject({
  startsAtMs: moment,
  durationMs,
  /** Later start by the caller's nearest region. A caller without a known region has the largest. */
  regionDelaysMs: z.record(surfaceName, durationMs).optional(),
  /** The canary of the same generation had this share of users: they stay on it. */
  fromShare: z.number().min(0).max(1).optional(),
  /** The ramp stands still from this moment on. */
  pausedAtMs: moment.optional(),
});

/** Until `untilMs` a share of users reads `generation`, and as many others are the control cohort. */
const canary = z.looseObject({ generation, share: z.number().gt(0).max(MAX_CANARY_SHARE), untilMs: moment });

/** Published generations, newest first. */
const lineage = z
  .array(generation)
  .min(1)
  .max(MAX_LINEAGE)
  .refine((all) => all.every((each, i) => i === 0 || each < (all[i - 1] as number)), 'expected the newest first');

const variant = z
  .looseObject({
    name: variantName,
    weight: z.int().min(0).max(FULL_WEIGHT),
    current: generation,
    previous: generation.optional(),
    flip: flip.optional(),
    /** Absent until the first publication of a release: then every older list is readable. */
    lineage: lineage.optional(),
    canary: canary.optional(),
    /** Until `untilMs`, caches load this generation for the users whose list they have: more users as time passes. */
    warm: z
      .looseObject({
        ...{ generation, startsAtMs: moment, durationMs, untilMs: moment },
        /** The canary that follows has this share of users: they stay as cold as the control cohort. */
        fromShare: z.number().min(0).max(1).optional(),
      })
      .optional(),
  })
  .refine((v) => v.flip === undefined || v.previous !== undefined, 'expected `previous` beside `flip`');

const surface = z.looseObject({
  salt: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 . _ -'),
  listTtlSeconds: z.int().min(1).max(604_800),
  /** Bounds of this surface's checks before a publication, by name. Absent ones have their default. */
  checks: z.record(z.string(), z.number()).optional(),
  /** `served`: an answer counts as shown. Default: the app says so. */
  exposure: z.string().optional(),
  /** Whether a signed claim of the token may name the variant. Default: it may not. */
  outsideArms: z.boolean().optional(),
  variants: z
    .array(variant)
    .min(1)
    .max(MAX_VARIANTS)
    .refine((all) => new Set(all.map((v) => v.name)).size === all.length, 'expected variant names to differ')
    .refine((all) => all.some((v) => v.weight > 0), 'expected at least one variant with a weight above 0'),
});

export const manifestSchema = z.looseObject({
  version: z.int().nonnegative().max(MAX_MANIFEST_VERSION, `expected a version of at most ${MAX_MANIFEST_VERSION}`),
  surfaces: z.record(surfaceName, surface),
  /** The release of the items. Absent until the first publication of items: then the newest metadata is live. */
  items: z
    .looseObject({ current: generation, previous: generation.optional(), lineage: lineage.optional() })
    .optional(),
  /** Regions that operators have marked. */
  regions: z.record(surfaceName, z.looseObject({ degradedUntilMs: moment, why: z.string().optional() })).optional(),
  /** Versions of the documents that belong to this manifest. */
  documents: z
    .looseObject({
      erasures: z.array(documentVersion).max(MAX_ERASURE_DOCUMENTS).optional(),
      blocked: documentVersion.optional(),
    })
    .optional(),
  /** Switches by name, with the moment when each goes off by itself. A reader ignores one that it does not know. */
  switches: z
    .record(
      z.string().regex(/^[a-z][a-z0-9.-]{0,99}$/),
      z.looseObject({
        value: z.string().max(32),
        untilMs: moment,
        why: z.string().optional(),
        by: z.string().optional(),
      }),
    )
    .optional(),
  /** A reader that knows no experiments chooses by the weights of the surface. */
  experiments: experimentsSchema.optional(),
  holdouts: holdoutsSchema.optional(),
  retiredSalts: retiredSaltsSchema.optional(),
  erasures: z.array(z.looseObject({ userHash: z.string().regex(/^[0-9a-f]{16}$/), atMs: moment })),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type Surface = Manifest['surfaces'][string];
export type Variant = Surface['variants'][number];
export type Flip = NonNullable<Variant['flip']>;
export type Canary = NonNullable<Variant['canary']>;

/** The manifest before the first publication. */
export const EMPTY_MANIFEST: Manifest = { version: 0, surfaces: {}, erasures: [] };

/** Parses a stored manifest. Throws an Error that names each wrong field, the expected form and the received value. */
export function parseManifest(json: string): Manifest {
  requireManifestSize(json);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new Error(`expected the manifest to be JSON, got ${JSON.stringify(json.slice(0, 80))}`, { cause });
  }
  const result = manifestSchema.safeParse(value);
  if (!result.success) throw new Error(`the manifest is not valid: ${describeIssues(result.error)}`);
  return result.data;
}

/** Throws an Error for a manifest of more than MAX_MANIFEST_BYTES. */
export function requireManifestSize(json: string): void {
  // Most bytes are ASCII, so the number of characters decides without a copy in almost all cases.
  const bytes = json.length > MAX_MANIFEST_BYTES / 4 ? encodeUtf8(json).length : json.length;
  if (bytes > MAX_MANIFEST_BYTES)
    throw new Error(`expected the manifest to have at most ${MAX_MANIFEST_BYTES} bytes, got ${bytes}`);
}
