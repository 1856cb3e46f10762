// Parses one line of I-JSON with a schema. The error is one line.
import type { z } from 'zod';
import { requireIJson } from './i-json.ts';

/** Throws an Error like `items.3.score: expected number, got "x"`. */
export function parseLine<T>(text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`expected one JSON object, got ${excerpt(text)}`);
  }
  // First: the schema would see the last of two equal names, and no number for 1e400.
  requireIJson(text);
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw result.error;
  const place = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw new Error(`${place}${expectation(issue.message)}, got ${excerpt(JSON.stringify(issue.input) ?? 'nothing')}`);
}

/** Reduces zod's `Invalid input: expected number, received string` to `expected number`: the value follows. */
const expectation = (message: string): string => message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');

const EXCERPT_CHARS = 80;
const excerpt = (text: string): string => (text.length <= EXCERPT_CHARS ? text : `${text.slice(0, EXCERPT_CHARS)}...`);
