// Validation of requests. The error names each wrong parameter, with the expected form and the received value.
import { z } from '@hono/zod-openapi';
import type { HonoRequest } from 'hono';
import { DEADLINE_HEADER, readDeadlineMs } from '../../shared/wire/deadline.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { DEBUG_HEADER } from '../respond/debug.ts';
import { headersSchema } from './schemas.ts';

interface Declared<Q, P> {
  readonly query: z.ZodType<Q>;
  readonly params: z.ZodType<P>;
}

export interface CallerHeaders {
  readonly debug: boolean;
}

const HEADER_NAMES = Object.keys(headersSchema.shape);
const NO_HEADERS: CallerHeaders = { debug: false };

/**
 * The headers that every route for callers understands. Throws `invalid_request`, and `deadline_exceeded` for a
 * deadline of 0.
 */
export function readCallerHeaders(request: HonoRequest): CallerHeaders {
  const named = HEADER_NAMES.map((name) => [name, request.header(name)] as const);
  // Most requests have none of them.
  if (named.every(([, value]) => value === undefined)) return NO_HEADERS;
  const { [DEBUG_HEADER]: debug, [DEADLINE_HEADER]: deadline } = check(headersSchema, Object.fromEntries(named));
  readDeadlineMs(deadline, 'edge');
  return { debug: debug !== undefined };
}

const emptyQuery = z.strictObject({});

/** Throws `invalid_request` if the request has query parameters: the route has none. */
export function refuseQuery(request: HonoRequest): void {
  if (request.url.includes('?')) check(emptyQuery, flatten(request.queries()));
}

/**
 * Checks a request with the schemas of its route's contract. Throws as readCallerHeaders does. It replaces the
 * middlewares of @hono/zod-openapi, which await three times and read every header.
 */
export function createRequestReader<Q, P>({
  query,
  params,
}: Declared<Q, P>): (request: HonoRequest) => { query: Q; params: P; headers: CallerHeaders } {
  // The result for most requests, which have no query.
  const noQuery = check(query, {});
  return (request) => ({
    query: request.url.includes('?') ? check(query, flatten(request.queries())) : noQuery,
    params: check(params, request.param()),
    headers: readCallerHeaders(request),
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
