// The refusal of a caller without a valid token of the edge: its reason, its challenge (RFC 6750, section 3), its count
// and its line in the log. The answer tells no reason.
import type { Logger } from 'pino';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';

export type RefusalReason =
  /** No `Authorization`. */
  | 'missing'
  /** Not a bearer token, not a signed JWT, or too long. */
  | 'malformed'
  /** The token's `kid` is of none of this origin's secrets. */
  | 'unknown_key'
  | 'algorithm'
  | 'signature'
  /** A required claim is missing or has another type. */
  | 'claim'
  | 'audience'
  /** The token is for another region. */
  | 'region'
  | 'expired'
  /** `iat` or `nbf` is ahead. */
  | 'not_yet_valid'
  /** More than MAX_ORIGIN_TOKEN_SECONDS from `iat` to `exp`. */
  | 'lifetime';

interface Explanation {
  readonly cause?: unknown;
  /** For the log. It names no part of the token but its region. */
  readonly detail?: string;
}

export class CallerRefused extends EarshotError {
  readonly reason: RefusalReason;
  readonly detail: string | undefined;

  constructor(reason: RefusalReason, { cause, detail }: Explanation = {}) {
    const isMissing = reason === 'missing';
    super('unauthenticated', 'origin', isMissing ? 'expected a bearer token, got none' : 'the token was refused', {
      cause,
      headers: { 'WWW-Authenticate': isMissing ? 'Bearer' : 'Bearer error="invalid_token"' },
    });
    this.reason = reason;
    this.detail = detail;
  }
}

/** One line of a reason in this time: an attacker must not fill the log. */
const LOG_EVERY_MS = 10_000;

interface RefusalLogOptions {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  readonly counters: Counters;
}

/** Counts each refusal. Logs the first one of a reason in LOG_EVERY_MS, with the number of those in between. */
export function createRefusalLog({ clock, logger, counters }: RefusalLogOptions): (refused: CallerRefused) => void {
  const logged = new Map<RefusalReason, { atMs: number; suppressed: number }>();
  return ({ reason, detail }) => {
    counters.add('origin_refused_callers_total');
    const last = logged.get(reason);
    const nowMs = clock.monotonicNow();
    if (last !== undefined && nowMs - last.atMs < LOG_EVERY_MS) {
      last.suppressed++;
      return;
    }
    logger.warn({ reason, detail, suppressed: last?.suppressed ?? 0 }, 'a caller was refused');
    logged.set(reason, { atMs: nowMs, suppressed: 0 });
  };
}
