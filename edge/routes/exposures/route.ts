// The contract of reports of exposures.
import { createRoute, z } from '@hono/zod-openapi';
import { JSON_TYPE } from '../../../shared/wire/json-body.ts';
import { answers, commonHeaders, problem } from '../openapi.ts';
import { headersSchema } from '../schemas.ts';
import { MAX_REPORTS, MAX_REPORTS_BYTES, receiptSchema, reportsSchema } from './schemas.ts';

/** Documentation only: the body is read with a bound. */
export const exposuresRoute = createRoute({
  method: 'post',
  path: '/v1/exposures',
  operationId: 'reportExposures',
  tags: ['exposures'],
  summary: `1 to ${MAX_REPORTS} lists were shown`,
  description:
    'Each report is the value of Earshot-Exposure of an answer. A report of another user needs the scope ' +
    'recs:read:any. Repeats are dropped, so a report may be sent again after a failure.',
  security: [{ bearer: [] }],
  request: {
    headers: headersSchema,
    body: {
      required: true,
      description: `At most ${MAX_REPORTS_BYTES} bytes.`,
      content: { [JSON_TYPE]: { schema: reportsSchema } },
    },
  },
  responses: {
    202: {
      description: 'How many were stored, and how many dropped.',
      headers: z.object({ ...commonHeaders, 'Cache-Control': z.string().openapi({ example: 'no-store' }) }),
      content: { 'application/json': { schema: receiptSchema } },
    },
    400: problem('The body is not a list of reports, or a header is not valid.'),
    401: answers[401],
    403: answers[403],
    404: problem('No exposures are collected here.'),
    405: answers[405],
    413: problem('The body is too large.'),
    415: problem(`The body is not ${JSON_TYPE}, or it is compressed.`),
    421: answers[421],
    429: answers[429],
    500: answers[500],
    504: answers[504],
    503: { ...answers[503], description: 'The exposures were not stored; report them again.' },
  },
});
