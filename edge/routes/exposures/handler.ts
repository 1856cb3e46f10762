// `POST /v1/exposures`: an app, or a service, says that lists were shown.
import type { Context } from 'hono';
import { EarshotError } from '../../../shared/wire/errors.ts';
import type { EdgeDeps } from '../../deps.ts';
import { checkAccess } from '../../identity/access.ts';
import { countryOf } from '../../request/place.ts';
import { everyAnswer } from '../../respond/every-answer.ts';
import { readListBody } from '../body.ts';
import type { Caller } from '../caller.ts';
import { expected } from '../expected.ts';
import { readCallerHeaders, refuseQuery } from '../validation.ts';
import { MAX_REPORT_CHARACTERS, REPORTS_BODY } from './schemas.ts';

type ExposureDeps = Pick<EdgeDeps, 'exposures' | 'limits'>;

/** As many tokens of a caller's limit as a batch of that many hits. */
const REPORTS_PER_TOKEN = 10;

/** Throws `not_found` without a queue, `unavailable` if it fails, `rate_limited`, `forbidden`, or as readListBody. */
export async function answerExposures(
  { exposures, limits }: ExposureDeps,
  c: Context,
  { identity, requestId }: Caller,
): Promise<Response> {
  readCallerHeaders(c.req);
  refuseQuery(c.req);
  if (exposures === undefined) throw new EarshotError('not_found', 'edge', 'exposures are not collected here');
  limits.admit(identity, 1);
  checkAccess(identity, [{ user: identity.user, variant: undefined }], false);
  const reports = (await readListBody(c.req.raw, REPORTS_BODY)).map(checkReport);
  limits.admit(identity, Math.floor(reports.length / REPORTS_PER_TOKEN));
  await limits.admitAtLocation(identity);
  const receipt = await exposures.receive(reports, { identity, country: countryOf(c.req.raw) });
  const headers = { ...everyAnswer(requestId), 'Cache-Control': 'no-store' };
  return Response.json(receipt, { status: 202, headers });
}

function checkReport(value: unknown, i: number): string {
  if (typeof value === 'string' && value.length <= MAX_REPORT_CHARACTERS) return value;
  const refusal = expected(`exposures[${i}]`, `a text of at most ${MAX_REPORT_CHARACTERS} characters`);
  throw new EarshotError('invalid_request', 'edge', refusal.error({ input: value }));
}
