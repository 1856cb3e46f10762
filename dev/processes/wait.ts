// Waiting for a part of the local cloud until it is ready.
import { readFileSync } from 'node:fs';
import { call } from '../../ops/cli/http.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';

const READY_TIMEOUT_MS = 60_000;
/** A part that says for so long why it is not ready will not become ready by itself. */
const GIVE_UP_MS = 10_000;
const POLL_MS = 50;
const REASON_POLL_MS = 500;
const PROBE_TIMEOUT_MS = 1_000;

/** Resolves when `isReady` returns true. Throws an Error after READY_TIMEOUT_MS. */
export async function waitUntil(condition: string, isReady: () => Promise<boolean>, clock: Clock): Promise<void> {
  const untilMs = clock.now() + READY_TIMEOUT_MS;
  while (!(await isReady())) {
    if (clock.now() >= untilMs) throw new Error(`expected ${condition} within ${READY_TIMEOUT_MS / 1000} s`);
    await pause(clock, POLL_MS);
  }
}

interface ReadyOptions {
  /** The reason for which the part is not ready, as it says itself. */
  readonly whyNotReady?: () => Promise<string | undefined>;
  readonly logFile: string;
  readonly clock: Clock;
}

/** Settles like `started`, with an Error that has the part's reason and its log after a bounded time. */
export async function untilReady(part: string, started: Promise<void>, options: ReadyOptions): Promise<void> {
  const { whyNotReady, logFile, clock } = options;
  const state = { isOver: false };
  const watch = async (): Promise<never> => {
    const startedAtMs = clock.now();
    let reasonSinceMs: number | undefined;
    for (;;) {
      const reason = await whyNotReady?.();
      const nowMs = clock.now();
      reasonSinceMs = reason === undefined ? undefined : (reasonSinceMs ?? nowMs);
      const isHopeless = reasonSinceMs !== undefined && nowMs - reasonSinceMs >= GIVE_UP_MS;
      if (isHopeless || nowMs - startedAtMs >= READY_TIMEOUT_MS)
        throw new Error(`${part} is not ready: ${reason ?? lastLine(logFile)} (${logFile})`);
      await pause(clock, REASON_POLL_MS);
      if (state.isOver) return new Promise(() => undefined);
    }
  };
  try {
    await Promise.race([started, watch()]);
  } finally {
    state.isOver = true;
  }
}

/** The last line of a part's log. */
export function lastLine(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').trim().split('\n').at(-1) || 'no output';
  } catch {
    return 'no output';
  }
}

/** Whether `url` answers with a 2xx. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const { status } = await call(url, { timeoutMs: PROBE_TIMEOUT_MS });
    return status >= 200 && status < 300;
  } catch {
    return false;
  }
}

/** The `reason` in the answer of an origin's /readyz. Undefined without an answer or a reason. */
export async function reasonIn(url: string): Promise<string | undefined> {
  try {
    const { reason } = JSON.parse((await call(url, { timeoutMs: PROBE_TIMEOUT_MS })).text) as { reason?: string };
    return reason;
  } catch {
    return undefined;
  }
}
