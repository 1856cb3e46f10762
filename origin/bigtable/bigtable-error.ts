// Bigtable's status codes as EarshotErrors: retryable, or a fault of the setup.
import { status } from '@grpc/grpc-js';
import { EarshotError, type ErrorCode } from '../../shared/wire/errors.ts';

export const { NOT_FOUND, PERMISSION_DENIED, UNIMPLEMENTED, UNAVAILABLE } = status;

/** Name of a google.rpc.Code; UNKNOWN for any other number. */
export const statusNameOf = (code: number): string => status[code] ?? 'UNKNOWN';

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
export const isUnavailable = ({ cause }: EarshotError): boolean => grpcCodeOf(cause) === status.UNAVAILABLE;

export function toTableError(error: unknown, action: string): EarshotError {
  if (error instanceof EarshotError) return error;
  const reason = (error instanceof Error ? error.message : String(error)).replace(EARLIER_ATTEMPTS, '');
  return new EarshotError(errorCodeOf(grpcCodeOf(error)), 'table', `${action} failed: ${reason}`, { cause: error });
}

function errorCodeOf(code: number | undefined): ErrorCode {
  switch (code) {
    case status.CANCELLED:
    case status.DEADLINE_EXCEEDED:
      return 'deadline_exceeded';
    case status.RESOURCE_EXHAUSTED:
      return 'overloaded';
    case status.INVALID_ARGUMENT:
    case status.NOT_FOUND:
    case status.ALREADY_EXISTS:
    case status.PERMISSION_DENIED:
    case status.FAILED_PRECONDITION:
    case status.UNIMPLEMENTED:
    case status.UNAUTHENTICATED:
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
    if (grpcCodeOf(error) === status.NOT_FOUND) return undefined;
    throw error;
  }
}
