// What a request that does not fit its schema is told: each wrong parameter by its name, with what was expected and what came.
import type { z } from '@hono/zod-openapi';
import type { HonoRequest } from 'hono';
import type { ZodObject, ZodRawShape } from 'zod';
import { EarshotError } from '../../shared/wire/errors.ts';

interface Declared<Q, P, H extends ZodRawShape> {
  readonly query: z.ZodType<Q>;
  readonly params: z.ZodType<P>;
  readonly headers: ZodObject<H>;
}

/**
 * What a route declares of its requests, checked with the schemas that the contract is made from. Throws `invalid_request`. It stands in for
 * the middlewares of @hono/zod-openapi, which wait three times and read every header.
 */
export function createRequestReader<Q, P, H extends ZodRawShape>({
  query,
  params,
  headers,
}: Declared<Q, P, H>): (request: HonoRequest) => { query: Q; params: P; headers: z.infer<ZodObject<H>> } {
  const names = Object.keys(headers.shape);
  // What most requests bring, which comes out the same each time: no query, and none of the headers.
  const noQuery = check(query, {});
  const noHeaders = check<z.infer<ZodObject<H>>>(headers, {});

  function readHeaders(request: HonoRequest): z.infer<ZodObject<H>> {
    const named = names.map((name) => [name, request.header(name)] as const);
    if (named.every(([, value]) => value === undefined)) return noHeaders;
    return check<z.infer<ZodObject<H>>>(headers, Object.fromEntries(named));
  }

  return (request) => ({
    query: request.url.includes('?') ? check(query, flatten(request.queries())) : noQuery,
    params: check(params, request.param()),
    headers: readHeaders(request),
  });
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw invalidRequest(result.error);
  return result.data;
}

/** A parameter that came once as text, one that came more often as a list, which no schema accepts. */
const flatten = (queries: Readonly<Record<string, string[]>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(queries).map(([name, values]) => [name, values.length === 1 ? values[0] : values]));

/** `part` is what a part of the request is called: a parameter, or a member of an object. */
export function invalidRequest(error: z.core.$ZodError, part: 'parameter' | 'member' = 'parameter'): EarshotError {
  // Of a number that is wrong in two ways zod says both, in the same words.
  const reasons = new Set(error.issues.map((issue) => describeIssue(issue, part)));
  return new EarshotError('invalid_request', 'edge', [...reasons].join('; '));
}

const describeIssue = (issue: z.core.$ZodIssue, part: string): string =>
  issue.code === 'unrecognized_keys'
    ? `unknown ${part} ${issue.keys.map((key) => JSON.stringify(key.slice(0, 64))).join(', ')}`
    : issue.message;
