// Logs failed heartbeats: the first one, then one line in LOG_EVERY_MS, with the remedy where there is one.
import type { Logger } from 'pino';
import type { Clock } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { grpcCodeOf, NOT_FOUND, PERMISSION_DENIED } from '../bigtable/bigtable-error.ts';

const LOG_EVERY_MS = 300_000;

interface FailureLogOptions {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

export function createFailureLog({ clock, logger }: FailureLogOptions): (error: unknown) => void {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  return (err) => {
    const nowMs = clock.monotonicNow();
    if (nowMs - loggedAtMs < LOG_EVERY_MS) {
      suppressed++;
      return;
    }
    logger.warn({ err, suppressed }, `the heartbeat could not be written${remedyOf(err)}`);
    loggedAtMs = nowMs;
    suppressed = 0;
  };
}

function remedyOf(error: unknown): string {
  switch (grpcCodeOf(error instanceof EarshotError ? error.cause : error)) {
    case NOT_FOUND:
      return ': run `earshot schema apply`, which creates the table heartbeats';
    case PERMISSION_DENIED:
      return ': allow the service account of the origin to write the table heartbeats (docs/operations.md)';
    default:
      return '';
  }
}
