// HTTP calls to parts of the local cloud. They connect straight to the port: proxies of the environment are ignored.
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { z } from 'zod';
import { describeIssues } from '../../shared/domain/describe-issues.ts';

const TIMEOUT_MS = 5_000;

/** Not Node's default agent, which may use the proxies of the environment. */
const direct = new Agent();

export interface CallOptions {
  readonly method?: 'GET' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: 5 s. */
  readonly timeoutMs?: number;
}

export interface CallAnswer {
  readonly status: number;
  readonly text: string;
}

/** Rejects if there is no whole answer in time; describeCallError has the reason. */
export async function call(url: string, options: CallOptions = {}): Promise<CallAnswer> {
  const { method = 'GET', headers = {}, body, timeoutMs = TIMEOUT_MS } = options;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, { agent: direct, method, headers, signal }, resolve).once('error', reject).end(body);
    });
    return { status: response.statusCode ?? 0, text: await text(response) };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

/**
 * The answer of `part` as JSON. Throws an Error without an answer, for a refusal, and for JSON that `schema` refuses.
 */
export async function fetchJson<T>(
  schema: z.ZodType<T>,
  part: string,
  url: string,
  options: CallOptions = {},
): Promise<T> {
  const { status, text } = await call(url, options).catch((error: unknown) => {
    throw new Error(`${part} does not answer at ${url}: ${describeCallError(error)}`, { cause: error });
  });
  const answer = parseJson(text);
  if (status >= 300) throw new Error(reasonIn(answer) ?? `${part} answered ${url} with status ${status}`);
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new Error(`${part} answered ${url} with unexpected JSON: ${describeIssues(parsed.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The reason in an answer of a control listener, or in a problem. */
function reasonIn(answer: unknown): string | undefined {
  const { error, detail, title } = (answer ?? {}) as { error?: string; detail?: string; title?: string };
  return error ?? detail ?? title;
}

export function describeCallError(error: unknown): string {
  const { message, name } = error as Error;
  return name === 'TimeoutError' ? 'no answer in time' : message;
}
