// A bound on the log: in an outage, or under hostile requests, lines of one kind must not cost more than the requests.
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log, LogFields } from './log.ts';

/** Lines of one kind within WINDOW_MS. Further ones are counted, and the next line names their number. */
export const MAX_LINES = 20;
export const WINDOW_MS = 10_000;
/** Kinds come from the code and the configuration, so there are few. */
const MAX_KINDS = 1_000;

interface Window {
  readonly startMs: number;
  lines: number;
  suppressed: number;
}

export function limitLog(log: Log, clock: Clock): Log {
  const windows = new Map<string, Window>();

  /** The number of lines suppressed before this one; undefined if this one is suppressed, too. */
  function admit(kind: string): number | undefined {
    const nowMs = clock.now();
    let window = windows.get(kind);
    const suppressed = window?.suppressed ?? 0;
    if (window === undefined || nowMs - window.startMs >= WINDOW_MS) {
      if (windows.size >= MAX_KINDS) windows.clear();
      window = { startMs: nowMs, lines: 0, suppressed: 0 };
      windows.set(kind, window);
    } else if (window.lines >= MAX_LINES) {
      window.suppressed++;
      return undefined;
    }
    window.lines++;
    return window.lines === 1 ? suppressed : 0;
  }

  const limit =
    (level: 'warn' | 'error') =>
    (event: string, fields: LogFields): void => {
      const suppressed = admit(kindOf(event, fields));
      if (suppressed !== undefined) log[level](event, suppressed === 0 ? fields : { ...fields, suppressed });
    };
  return { warn: limit('warn'), error: limit('error') };
}

/** The fields whose values come from the code and the configuration, never from a request. */
const kindOf = (event: string, { reason, code, status, region, object }: LogFields): string =>
  [event, reason, code, status, region, object].join(' ');
