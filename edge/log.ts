// Structured log lines: one JSON object a line, with the name of what happened. Never a token, a secret or a list.
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

/** Logs `error` as `event` when the fault is not the caller's: those are told what was wrong, and nobody else needs to know. */
export function logFailure(log: Log, event: string, error: EarshotError, fields: LogFields): void {
  const { status } = problemOf(error.code);
  if (status < 500) return;
  const { code, source } = error;
  log.error(event, { status, code, source, ...fields, ...describeError(error), stack: stackOf(error) });
}

/** More are not followed: a chain may be a ring. */
const MAX_CAUSES = 5;
const MAX_STACK_CHARACTERS = 4_000;

/** What was thrown, and `causes`: what led to it, the nearest first. */
export function describeError(thrown: unknown): LogFields {
  const [, ...causes] = chainOf(thrown);
  const message = maskTokens(thrown instanceof Error ? thrown.message : String(thrown));
  return causes.length === 0 ? { message } : { message, causes: maskTokens(causes.map(String).join(' <- ')) };
}

/** Where the first cause of `thrown` came from, which is where there is something to look at. */
export function stackOf(thrown: unknown): string | undefined {
  const first = chainOf(thrown).findLast((link) => link instanceof Error);
  return first?.stack === undefined ? undefined : maskTokens(first.stack.slice(0, MAX_STACK_CHARACTERS));
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

/** A library's message may quote what it was given. */
const maskTokens = (text: string): string =>
  text.replace(/\beyJ[\w-]*(\.[\w-]*){0,2}/g, '[token]').replace(/\b(bearer) +[^\s"']+/gi, '$1 [token]');
