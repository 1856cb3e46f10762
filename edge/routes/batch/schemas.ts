// The schemas of batches. The schema of one read validates it and documents it. ../body.ts checks the list around the
// reads, because a schema of the whole would refuse all reads for one.
import { z } from '@hono/zod-openapi';
import { MAX_ITEMS } from '../../../shared/domain/list.ts';
import { DECISION_HEADER } from '../../respond/debug.ts';
import { expected } from '../expected.ts';
import {
  LIMIT_GRAMMAR,
  limitRange,
  makeCountry,
  makeExpand,
  makeFallback,
  makeVariant,
  problemSchema,
  recommendationsSchema,
  surface,
  user,
} from '../schemas.ts';
import { MAX_BATCH_READS } from './bounds.ts';

const limit = expected('limit', LIMIT_GRAMMAR);

/** One of `reads`. */
export const readSchema = z
  .strictObject(
    {
      user,
      surface,
      limit: z.int(limit).min(1, limit).max(MAX_ITEMS, limit).optional().openapi(limitRange),
      fallback: makeFallback(expected),
      variant: makeVariant(expected),
      expand: makeExpand(expected),
      country: makeCountry(expected),
    },
    expected('the read', 'an object'),
  )
  .openapi('Read');

/** Documentation only. */
export const batchSchema = z
  .strictObject({ reads: z.array(readSchema).min(1).max(MAX_BATCH_READS) })
  .openapi('Batch', { description: 'Reads of any users and surfaces. A read may occur twice.' });

/** A literal status in each form of a result, so that a typed client can tell them apart by it. */
const PROBLEM_STATUSES = [400, 404, 413, 500, 503, 504];

const ownerOf = (example: string) =>
  z.string().optional().openapi({ description: 'As in the read. Absent if the read had no such text.', example });

const resultSchema = z.union([
  recommendationsSchema
    .extend({
      status: z.literal(200),
      experiment: z
        .string()
        .openapi({ description: 'The experiment that decided the variant, or the surface, or holdout.' }),
      exposure: z
        .string()
        .optional()
        .openapi({ description: 'The token of the exposure, to be sent back when the list is shown.' }),
      cacheStatus: z
        .string()
        .optional()
        .openapi({ description: 'With Earshot-Debug: Cache-Status of this read alone.' }),
      decision: z
        .string()
        .optional()
        .openapi({ description: `With Earshot-Debug: the value of ${DECISION_HEADER} for this read.` }),
    })
    .openapi('BatchList'),
  z
    .object({
      status: z.int().openapi({ enum: PROBLEM_STATUSES }),
      user: ownerOf('lastfm:2'),
      surface: ownerOf('home'),
      problem: problemSchema,
      cacheStatus: z
        .string()
        .optional()
        .openapi({ description: 'With Earshot-Debug: Cache-Status of this read alone.' }),
    })
    .openapi('BatchProblem'),
]);

export const batchAnswerSchema = z
  .object({ results: z.array(resultSchema).openapi({ description: 'One per read, in the order of the reads.' }) })
  .openapi('BatchAnswer');
