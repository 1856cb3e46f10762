// What a request that does not fit its schema is told: each wrong parameter by its name, with what was expected and what came.
import type { z } from '@hono/zod-openapi';
import { EarshotError } from '../shared/errors.ts';

export const invalidRequest = (error: z.core.$ZodError): EarshotError =>
  new EarshotError('invalid_request', 'edge', error.issues.map(describeIssue).join('; '));

const describeIssue = (issue: z.core.$ZodIssue): string =>
  issue.code === 'unrecognized_keys'
    ? `unknown parameter ${issue.keys.map((key) => JSON.stringify(key.slice(0, 64))).join(', ')}`
    : issue.message;
