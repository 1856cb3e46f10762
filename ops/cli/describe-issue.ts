// What a schema refused, on one line: the first thing that is wrong, and where.
import type { z } from 'zod';

export function describeIssue({ issues: [issue] }: z.ZodError): string {
  if (issue === undefined) return 'not valid';
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`;
}
