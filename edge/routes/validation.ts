// Validation of requests. The error names each wrong parameter, with the expected form and the received value.
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
 * Checks a request with the schemas of its route's contract. Throws `invalid_request`. It replaces the middlewares of
 * @hono/zod-openapi, which await three times and read every header.
 */
export function createRequestReader<Q, P, H extends ZodRawShape>({
  query,
  params,
  headers,
}: Declared<Q, P, H>): (request: HonoRequest) => { query: Q; params: P; headers: z.infer<ZodObject<H>> } {
  const names = Object.keys(headers.shape);
  // The results for most requests: no query, and none of the headers.
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

/** A single value as text, a repeated parameter as a list, which no schema accepts. */
const flatten = (queries: Readonly<Record<string, string[]>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(queries).map(([name, values]) => [name, values.length === 1 ? values[0] : values]));

/** `part` is the word for a part of the request: a parameter, or a member of an object. */
export function invalidRequest(error: z.core.$ZodError, part: 'parameter' | 'member' = 'parameter'): EarshotError {
  // zod reports a number that is wrong in two ways twice, in the same words.
  const reasons = new Set(error.issues.map((issue) => describeIssue(issue, part)));
  return new EarshotError('invalid_request', 'edge', [...reasons].join('; '));
}

const describeIssue = (issue: z.core.$ZodIssue, part: string): string =>
  issue.code === 'unrecognized_keys'
    ? `unknown ${part} ${issue.keys.map((key) => JSON.stringify(key.slice(0, 64))).join(', ')}`
    : issue.message;
