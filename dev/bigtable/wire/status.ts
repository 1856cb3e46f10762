// gRPC error of a call. Codes and known texts are those of Cloud Bigtable.
import { status } from '@grpc/grpc-js';

export class StatusError extends Error {
  readonly code: status;
  /** The property from which grpc-js reads the text to send. */
  readonly details: string;

  constructor(code: status, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

export const invalidArgument = (details: string): StatusError => new StatusError(status.INVALID_ARGUMENT, details);
export const notFound = (details: string): StatusError => new StatusError(status.NOT_FOUND, details);
export const alreadyExists = (details: string): StatusError => new StatusError(status.ALREADY_EXISTS, details);
export const failedPrecondition = (details: string): StatusError =>
  new StatusError(status.FAILED_PRECONDITION, details);
export const unavailable = (details: string): StatusError => new StatusError(status.UNAVAILABLE, details);
export const unimplemented = (details: string): StatusError => new StatusError(status.UNIMPLEMENTED, details);

/**
 * The error to send: a StatusError unchanged, any other error as INTERNAL with its message. The server is for
 * development.
 */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  return new StatusError(status.INTERNAL, error instanceof Error ? (error.stack ?? error.message) : String(error));
}
