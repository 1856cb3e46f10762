// The first issue of a schema error, on one line: its path and the reason.
import type { z } from 'zod';

export function describeIssue({ issues: [issue] }: z.ZodError): string {
  if (issue === undefined) return 'not valid';
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`;
}
