// What Bigtable's status codes mean to Earshot: can a later or another attempt succeed, or is something set up wrongly?
import { EarshotError, type ErrorCode } from '../../shared/wire/errors.ts';

/** google.rpc.Code */
const CANCELLED = 1;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
export const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
export const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;

export const UNAVAILABLE = 14;

/** Whether the same call may succeed a little later. */
export const isRetryable = (error: unknown): boolean => toTableError(error, 'a call').retryable;

/** An error in the form that the client throws. */
export const makeGrpcError = (code: number, message: string): Error => Object.assign(new Error(message), { code });

/** The status code that the client's error carries, if it is one. */
export function grpcCodeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}

/** The client repeats the errors of all attempts behind that of the last one. */
const ATTEMPTS_BEFORE = / *: Previous errors : \[[\s\S]*$/;

export function toTableError(error: unknown, action: string): EarshotError {
  if (error instanceof EarshotError) return error;
  const reason = (error instanceof Error ? error.message : String(error)).replace(ATTEMPTS_BEFORE, '');
  return new EarshotError(errorCodeOf(grpcCodeOf(error)), 'table', `${action} failed: ${reason}`, { cause: error });
}

function errorCodeOf(code: number | undefined): ErrorCode {
  switch (code) {
    case CANCELLED:
    case DEADLINE_EXCEEDED:
      return 'deadline_exceeded';
    case RESOURCE_EXHAUSTED:
      return 'overloaded';
    case INVALID_ARGUMENT:
    case NOT_FOUND:
    case ALREADY_EXISTS:
    case PERMISSION_DENIED:
    case FAILED_PRECONDITION:
    case UNIMPLEMENTED:
    case UNAUTHENTICATED:
      return 'internal';
    default:
      return 'unavailable';
  }
}

/** What a look-up found; undefined for NOT_FOUND. */
export async function findOrUndefined<T>(lookup: Promise<T>): Promise<T | undefined> {
  try {
    return await lookup;
  } catch (error) {
    if (grpcCodeOf(error) === NOT_FOUND) return undefined;
    throw error;
  }
}
