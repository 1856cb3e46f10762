// The schemas of reports of exposures.
import { z } from '@hono/zod-openapi';
import { MAX_TOKEN_CHARACTERS } from '../../../shared/domain/experiments/exposure.ts';
import type { ListBody } from '../body.ts';

export const MAX_REPORTS = 100;
/** With the tier and the region behind the token. */
export const MAX_REPORT_CHARACTERS = MAX_TOKEN_CHARACTERS + 128;
export const MAX_REPORTS_BYTES = 98_304;

export const REPORTS_BODY: ListBody = { name: 'exposures', maxElements: MAX_REPORTS, maxBytes: MAX_REPORTS_BYTES };

/** Documentation only. */
export const reportsSchema = z
  .strictObject({
    exposures: z
      .array(
        z
          .string()
          .max(MAX_REPORT_CHARACTERS)
          .openapi({ description: 'The value of Earshot-Exposure, as it was answered.' }),
      )
      .min(1)
      .max(MAX_REPORTS),
  })
  .openapi('Exposures');

const count = z.int().min(0);

export const receiptSchema = z
  .object({
    accepted: count.openapi({ description: 'Exposures that were stored.' }),
    dropped: z
      .object({ invalid: count, expired: count, other_user: count, repeated: count })
      .partial()
      .openapi({ description: 'Reports that were dropped, by reason.' }),
  })
  .openapi('ExposureReceipt');
