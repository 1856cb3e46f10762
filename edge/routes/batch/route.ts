// The contract of batches: QUERY, and POST for clients without that method.
import { createRoute, z } from '@hono/zod-openapi';
import { JSON_TYPE } from '../../../shared/wire/json-body.ts';
import { BUILDS_HEADER, REGIONS_HEADER } from '../../respond/debug.ts';
import { answers, commonHeaders, problem } from '../openapi.ts';
import { headersSchema } from '../schemas.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_READS } from './bounds.ts';
import { batchAnswerSchema, batchSchema } from './schemas.ts';

/** The path of QUERY. */
export const QUERY_PATH = '/v1/recommendations';

const shared = {
  tags: ['recommendations'],
  summary: `1 to ${MAX_BATCH_READS} reads in one request`,
  description:
    "Needs the scope recs:read:any unless every read is of the token's own user. " +
    `QUERY ${QUERY_PATH} (RFC 10008) and POST of the batch take the same body and give the same answer. ` +
    'QUERY is safe and idempotent, so any hop may repeat it after a failure.',
  security: [{ bearer: [] }],
  request: {
    headers: headersSchema,
    body: {
      required: true,
      description: `At most ${MAX_BATCH_BYTES} bytes.`,
      content: { [JSON_TYPE]: { schema: batchSchema } },
    },
  },
  responses: {
    200: {
      description: 'A list or a problem for each read. A failed read does not fail the others.',
      headers: z.object({
        ...commonHeaders,
        'Cache-Control': z.string().openapi({ example: 'no-store' }),
        'Cache-Status': z
          .string()
          .optional()
          .openapi({
            description:
              'Every cache and region that was asked for any of the lists (RFC 9211). detail counts the reads that it answered, of the reads ' +
              'that asked it.',
            example: 'origin-asia; fwd=miss; fwd-status=200; detail="3/3", colo; fwd=partial; stored; detail="2/5"',
          }),
        'Server-Timing': z.string(),
        [REGIONS_HEADER]: answers[200].headers.shape[REGIONS_HEADER],
        [BUILDS_HEADER]: answers[200].headers.shape[BUILDS_HEADER],
      }),
      content: { 'application/json': { schema: batchAnswerSchema } },
    },
    400: problem('The body is not a batch, or a header is not valid.'),
    401: answers[401],
    403: { ...answers[403], description: 'The token does not allow one of the reads, or the debug output.' },
    405: answers[405],
    421: answers[421],
    413: problem('The body is too large.'),
    415: problem(`The body is not ${JSON_TYPE}, or it is compressed.`),
    429: answers[429],
    500: answers[500],
    503: { ...answers[503], description: 'There is no manifest; try again.' },
    504: answers[504],
  },
};

/** Documentation only. Validation by app.openapi would read a body of any size, and refuse all reads for one. */
export const batchRoute = createRoute({
  ...shared,
  method: 'post',
  path: '/v1/recommendations:batch',
  operationId: 'readBatch',
});

/** OpenAPI has the method QUERY since 3.2; the types of the library do not. */
export const queryRoute = createRoute({
  ...shared,
  method: 'query' as 'post',
  path: QUERY_PATH,
  operationId: 'queryBatch',
});
