// `POST /ofrep/v1/evaluate/flags[/{experiment}]`: experiments for clients of OpenFeature, read only. The targeting key
// is the user, under the rules of reads.
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { AttributesOf } from '../../../shared/domain/experiments/assign.ts';
import { isPublicId, type UserId } from '../../../shared/domain/ids.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { EarshotError } from '../../../shared/wire/errors.ts';
import { isNotModified } from '../../../shared/wire/if-none-match.ts';
import type { EdgeDeps } from '../../deps.ts';
import { checkAccess } from '../../identity/access.ts';
import { openCall } from '../../request/open-call.ts';
import { hashText } from '../../respond/etag.ts';
import { everyAnswer } from '../../respond/every-answer.ts';
import { attributesFor } from '../attributes.ts';
import { readJsonBody } from '../body.ts';
import type { Caller } from '../caller.ts';
import { readCallerHeaders, refuseQuery } from '../validation.ts';
import { evaluateAll, evaluateFlag } from './evaluate.ts';

type OfrepDeps = Pick<EdgeDeps, 'config' | 'limits' | 'manifests' | 'routing'>;

const MAX_BYTES = 16_384;
/** Other members of the context are not looked at: only signed claims can be targeted. */
const bodySchema = z.looseObject({
  context: z.looseObject({ targetingKey: z.string().optional() }).optional(),
});

type ErrorCode = 'PARSE_ERROR' | 'TARGETING_KEY_MISSING' | 'INVALID_CONTEXT' | 'FLAG_NOT_FOUND';

interface Asked {
  readonly manifest: Manifest;
  readonly user: UserId;
  readonly attributes: AttributesOf;
}

/** One experiment. Throws what `ask` throws. */
export async function answerFlag(deps: OfrepDeps, c: Context, caller: Caller): Promise<Response> {
  const key = c.req.param('key') ?? '';
  const asked = await ask(deps, c, caller);
  if ('errorCode' in asked) return refuse(caller, 400, { key, ...asked });
  const evaluation = evaluateFlag(asked.manifest, key, asked.user, asked.attributes);
  if (evaluation === undefined)
    return refuse(caller, 404, { key, errorCode: 'FLAG_NOT_FOUND', errorDetails: 'there is no such experiment' });
  return answerWithTag(c, caller, evaluation);
}

/** All experiments. Throws what `ask` throws. */
export async function answerFlags(deps: OfrepDeps, c: Context, caller: Caller): Promise<Response> {
  const asked = await ask(deps, c, caller);
  if ('errorCode' in asked) return refuse(caller, 400, asked);
  return answerWithTag(c, caller, { flags: evaluateAll(asked.manifest, asked.user, asked.attributes) });
}

/** Throws `rate_limited`, `forbidden`, an error of readJsonBody, or `unavailable` without a manifest. */
async function ask(
  deps: OfrepDeps,
  c: Context,
  caller: Caller,
): Promise<Asked | { readonly errorCode: ErrorCode; readonly errorDetails: string }> {
  const { limits, manifests } = deps;
  const { identity } = caller;
  readCallerHeaders(c.req);
  refuseQuery(c.req);
  limits.admit(identity, 1);
  const body = await readBody(c.req.raw);
  if (body === NO_JSON) return { errorCode: 'PARSE_ERROR', errorDetails: 'expected the body to be JSON' };
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) return { errorCode: 'INVALID_CONTEXT', errorDetails: describe(parsed.error) };
  const { targetingKey: user, country } = parsed.data.context ?? {};
  if (user === undefined || user === '')
    return { errorCode: 'TARGETING_KEY_MISSING', errorDetails: 'expected context.targetingKey to be the user' };
  if (!isPublicId(user)) return { errorCode: 'INVALID_CONTEXT', errorDetails: 'expected targetingKey to be an id' };
  checkAccess(identity, [{ user, variant: undefined }], false);
  const manifest = await manifests.get(openCall(deps, c, caller));
  const named = typeof country === 'string' ? country : undefined;
  return { manifest, user, attributes: attributesFor(c.req.raw, identity, user, named) };
}

const NO_JSON = Symbol('no JSON');

/** NO_JSON for a body that is none: the protocol has a code of its own for it. */
async function readBody(request: Request): Promise<unknown> {
  try {
    return await readJsonBody(request, MAX_BYTES);
  } catch (error) {
    if (error instanceof EarshotError && error.code === 'invalid_request') return NO_JSON;
    throw error;
  }
}

/** `expected context.targetingKey to be a text` */
function describe({ issues: [issue] }: z.ZodError): string {
  const path = issue?.path.join('.') ?? '';
  const what = path === 'context.targetingKey' ? 'a text' : 'an object';
  return `expected ${path === '' ? 'the body' : path} to be ${what}`;
}

function answerWithTag(c: Context, { requestId }: Caller, value: object): Response {
  const body = JSON.stringify(value);
  const etag = `"${hashText(body)}"`;
  const headers = {
    ...everyAnswer(requestId),
    ...{ ETag: etag, 'Cache-Control': 'private, max-age=0', Vary: 'Authorization' },
  };
  if (isNotModified(c.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers });
  return new Response(body, { headers: { ...headers, 'Content-Type': 'application/json' } });
}

const refuse = ({ requestId }: Caller, status: number, value: object): Response =>
  Response.json(value, { status, headers: { ...everyAnswer(requestId), 'Cache-Control': 'no-store' } });
