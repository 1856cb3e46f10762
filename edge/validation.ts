// What a request that does not fit its schema is told: each wrong parameter by its name, with what was expected and what came.
import type { z } from '@hono/zod-openapi';
import { EarshotError } from '../shared/errors.ts';

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
