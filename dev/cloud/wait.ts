// Polling until a part of the local cloud is ready.
import { call } from '../../ops/cli/http.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';

const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const PROBE_TIMEOUT_MS = 1_000;

/** Resolves when `isReady` returns true. Throws an Error after READY_TIMEOUT_MS. */
export async function waitUntil(condition: string, isReady: () => Promise<boolean>, clock: Clock): Promise<void> {
  const untilMs = clock.now() + READY_TIMEOUT_MS;
  while (!(await isReady())) {
    if (clock.now() >= untilMs) throw new Error(`expected ${condition} within ${READY_TIMEOUT_MS / 1000} s`);
    await pause(clock, POLL_MS);
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
