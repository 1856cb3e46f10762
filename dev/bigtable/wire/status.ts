// An answer that is a gRPC error. Codes and, where they are known, texts are those that Cloud Bigtable itself gives.
import { status } from '@grpc/grpc-js';

export class StatusError extends Error {
  readonly code: status;
  /** The name under which grpc-js looks for the text to send. */
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
 * What is sent for any error: ours as it is, anything else as INTERNAL with its own text, since this server is for
 * development.
 */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  return new StatusError(status.INTERNAL, error instanceof Error ? (error.stack ?? error.message) : String(error));
}
