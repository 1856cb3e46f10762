// JSON from a part of the local cloud, or one clear line that says why not.
import type { z } from 'zod';
import { describeIssue } from './describe-issue.ts';

const TIMEOUT_MS = 5000;

/**
 * Throws an Error when nothing comes within TIMEOUT_MS, when it is a refusal, or when it is not of `schema`. `who` is
 * to answer.
 */
export async function fetchJson<T>(
  schema: z.ZodType<T>,
  who: string,
  url: string,
  init: Pick<RequestInit, 'method' | 'headers' | 'body'> = {},
): Promise<T> {
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    answer = await response.json();
  } catch (error) {
    throw new Error(`${who} does not answer at ${url}: ${describeFetchError(error)}`, { cause: error });
  }
  if (!response.ok) throw new Error(reasonIn(answer) ?? `${who} answered ${url} with status ${response.status}`);
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new Error(`${who} answered ${url} with what is not understood: ${describeIssue(parsed.error)}`);
}

/** In a control's words, or in those of a problem. */
function reasonIn(answer: unknown): string | undefined {
  const { error, detail, title } = (answer ?? {}) as { error?: string; detail?: string; title?: string };
  return error ?? detail ?? title;
}

/** What undici keeps as the cause says more than `fetch failed`. */
export function describeFetchError(error: unknown): string {
  const { cause, message, name } = error as Error;
  if (name === 'TimeoutError') return 'no answer in time';
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
