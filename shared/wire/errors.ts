// The one error family. Inside, an error carries its cause and detail. On the wire only the code, its status and its
// public text appear.

export type ErrorSource = 'edge' | 'origin' | 'table';

interface Problem {
  readonly status: number;
  /** Public text: never a host, a key or a cause. */
  readonly title: string;
  readonly retryable: boolean;
}

const problems = {
  invalid_request: { status: 400, title: 'The request is not valid.', retryable: false },
  unauthenticated: { status: 401, title: 'A valid bearer token is required.', retryable: false },
  forbidden: { status: 403, title: 'The token does not allow this.', retryable: false },
  not_found: { status: 404, title: 'There is nothing at this address.', retryable: false },
  unknown_surface: { status: 404, title: 'There is no such surface.', retryable: false },
  unknown_variant: { status: 404, title: 'There is no such variant on this surface.', retryable: false },
  no_recommendations: {
    status: 404,
    title: 'There are no recommendations for this user on this surface.',
    retryable: false,
  },
  method_not_allowed: { status: 405, title: 'The method is not allowed here.', retryable: false },
  answer_too_large: {
    status: 413,
    title: 'The answer would be too large; ask for less in one request.',
    retryable: false,
  },
  payload_too_large: { status: 413, title: 'The request body is too large.', retryable: false },
  unsupported_media_type: { status: 415, title: 'The form of the request body is not supported.', retryable: false },
  misdirected_request: { status: 421, title: 'This host is not served here.', retryable: false },
  rate_limited: { status: 429, title: 'The limit of this caller is reached; try again later.', retryable: true },
  internal: { status: 500, title: 'Something went wrong.', retryable: false },
  not_configured: { status: 503, title: 'The service is not configured; its log has the reason.', retryable: false },
  surface_off: { status: 503, title: 'This surface is switched off; try again later.', retryable: true },
  overloaded: { status: 503, title: 'The service is overloaded; try again.', retryable: true },
  unavailable: { status: 503, title: 'The service is unavailable; try again.', retryable: true },
  deadline_exceeded: { status: 504, title: 'The deadline passed before an answer came.', retryable: true },
} as const satisfies Record<string, Problem>;

export type ErrorCode = keyof typeof problems;

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(problems, code);

export const problemOf = (code: ErrorCode): Problem => problems[code];

interface ErrorOptions {
  readonly cause?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class EarshotError extends Error {
  override readonly name = 'EarshotError';
  readonly code: ErrorCode;
  readonly source: ErrorSource;
  readonly retryable: boolean;
  /** Headers of the answer besides those of every problem. */
  readonly headers: Readonly<Record<string, string>>;

  /** `message` goes to the log, and for a 4xx to the caller as `detail`. */
  constructor(code: ErrorCode, source: ErrorSource, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.source = source;
    this.retryable = problems[code].retryable;
    this.headers = options.headers ?? {};
  }
}

/** Converts a thrown value. A value outside the family becomes `internal`. */
export const toEarshotError = (error: unknown, source: ErrorSource): EarshotError =>
  error instanceof EarshotError
    ? error
    : new EarshotError('internal', source, error instanceof Error ? error.message : String(error), { cause: error });
