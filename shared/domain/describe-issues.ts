// The issues of a schema error on one line: each path with its reason.
import type { z } from 'zod';

const MAX_ISSUES = 5;

export function describeIssues({ issues }: z.ZodError): string {
  const shown = issues.slice(0, MAX_ISSUES).map(({ path, message }) => {
    return path.length === 0 ? message : `${path.join('.')}: ${message}`;
  });
  const hidden = issues.length - shown.length;
  return [...shown, ...(hidden > 0 ? [`and ${hidden} more`] : [])].join('; ') || 'not valid';
}
