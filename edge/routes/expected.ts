// Error messages of the public API's schemas: the expected form and the received value.
import { z } from '@hono/zod-openapi';
import { describeValue } from './describe-value.ts';

/** The `error` of a zod schema, or part of one. */
export interface Refusal {
  readonly error: (issue: { input?: unknown }) => string;
}

export const expected = (name: string, what: string): Refusal => ({
  error: ({ input }) => `expected ${name} to be ${what}, got ${describeValue(input)}`,
});

/** For a query parameter, which is a list if the request repeats it. */
export const expectedOnce = (name: string, what: string): Refusal => ({
  error: (issue) =>
    Array.isArray(issue.input)
      ? `expected ${name} once, got it ${issue.input.length} times`
      : expected(name, what).error(issue),
});

export const patterned = (pattern: RegExp, refusal: Refusal) => z.string(refusal).regex(pattern, refusal);
