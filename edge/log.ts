// Structured log lines: one JSON object per line, with the name of the event. Never a token, a secret, a list, or the
// id of a user: `requestId` leads to the request (docs/decisions/0036).
import { type EarshotError, problemOf } from '../shared/wire/errors.ts';

export type LogFields = Readonly<Record<string, string | number | undefined>>;

export interface Log {
  warn(event: string, fields: LogFields): void;
  error(event: string, fields: LogFields): void;
}

export const consoleLog: Log = {
  warn: (event, fields) => console.warn(JSON.stringify({ level: 'warn', event, ...fields })),
  error: (event, fields) => console.error(JSON.stringify({ level: 'error', event, ...fields })),
};

/** Logs `error` as `event`, unless the fault is the caller's: the answer explains a 4xx to its caller. */
export function logFailure(log: Log, event: string, error: EarshotError, fields: LogFields): void {
  const { status } = problemOf(error.code);
  if (status < 500) return;
  const { code, source } = error;
  log.error(event, { status, code, source, ...fields, ...describeError(error), stack: stackOf(error) });
}

/** Maximum number of causes to follow: a chain can be circular. */
const MAX_CAUSES = 5;
const MAX_STACK_CHARACTERS = 4_000;

/** The message of a thrown value, and its causes, nearest first. */
export function describeError(thrown: unknown): LogFields {
  // jose's errors have the claims of the token as their cause, which no log may have.
  const causes = chainOf(thrown)
    .slice(1)
    .filter((link) => typeof link !== 'object' || link instanceof Error);
  const message = maskTokens(thrown instanceof Error ? messageOf(thrown) : String(thrown));
  return causes.length === 0 ? { message } : { message, causes: maskTokens(causes.map(textOf).join(' <- ')) };
}

/** The message of a JSON parser quotes its input: a list, or the claims of a token. */
const messageOf = (error: Error): string => (error instanceof SyntaxError ? 'not valid JSON' : error.message);

const textOf = (link: unknown): string =>
  link instanceof SyntaxError ? `SyntaxError: ${messageOf(link)}` : String(link);

/** The stack of the deepest cause of `thrown`. */
export function stackOf(thrown: unknown): string | undefined {
  const first = chainOf(thrown).findLast((link) => link instanceof Error);
  const stack = first instanceof SyntaxError ? first.stack?.replace(first.message, messageOf(first)) : first?.stack;
  return stack === undefined ? undefined : maskTokens(stack.slice(0, MAX_STACK_CHARACTERS));
}

function chainOf(thrown: unknown): unknown[] {
  const chain = [thrown];
  let last = thrown;
  while (last instanceof Error && last.cause !== undefined && chain.length <= MAX_CAUSES) {
    last = last.cause;
    chain.push(last);
  }
  return chain;
}

/** A library's message may quote its input. */
const maskTokens = (text: string): string =>
  text.replace(/\beyJ[\w-]*(\.[\w-]*){0,2}/g, '[token]').replace(/\b(bearer) +[^\s"']+/gi, '$1 [token]');
