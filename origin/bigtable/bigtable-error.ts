// Bigtable's status codes as EarshotErrors: retryable, or a fault of the setup.
import { EarshotError, type ErrorCode } from '../../shared/wire/errors.ts';

/** google.rpc.Code. */
const CANCELLED = 1;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
export const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
export const UNIMPLEMENTED = 12;
export const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** Whether the same call may succeed a little later. */
export const isRetryable = (error: unknown): boolean => toTableError(error, 'a call').retryable;

/** An error in the client's form. */
export const makeGrpcError = (code: number, message: string): Error => Object.assign(new Error(message), { code });

/** The status code of a client's error. Undefined for other errors. */
export function grpcCodeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}

/** The client appends the errors of all earlier attempts. */
const EARLIER_ATTEMPTS = / *: Previous errors : \[[\s\S]*$/;

/** Whether the cluster itself says that it is not available. Others use the code `unavailable`, too. */
export const isUnavailable = ({ cause }: EarshotError): boolean => grpcCodeOf(cause) === UNAVAILABLE;

export function toTableError(error: unknown, action: string): EarshotError {
  if (error instanceof EarshotError) return error;
  const reason = (error instanceof Error ? error.message : String(error)).replace(EARLIER_ATTEMPTS, '');
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

/** The result of `lookup`; undefined for NOT_FOUND. */
export async function findOrUndefined<T>(lookup: Promise<T>): Promise<T | undefined> {
  try {
    return await lookup;
  } catch (error) {
    if (grpcCodeOf(error) === NOT_FOUND) return undefined;
    throw error;
  }
}
