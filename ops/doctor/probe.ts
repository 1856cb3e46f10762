// One HTTP call of the doctor. It never rejects: what went wrong is a finding.
import { systemClock } from '../../shared/runtime/clock.ts';

export interface Probe {
  /** Undefined without an answer. */
  readonly status: number | undefined;
  readonly headers: Headers;
  /** Undefined for a body that is no JSON. */
  readonly json: unknown;
  /** The reason for no answer. */
  readonly problem?: string;
  readonly roundTripMs: number;
  /** Clock of the other side minus this machine's clock, by the header Date. Undefined without one. */
  readonly clockAheadMs: number | undefined;
}

const TIMEOUT_MS = 2_000;

export async function probe(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Probe> {
  const startedAtMs = systemClock.now();
  try {
    const response = await fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    const endedAtMs = systemClock.now();
    const date = Date.parse(response.headers.get('date') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      json: parseJson(text),
      roundTripMs: endedAtMs - startedAtMs,
      // Date has whole seconds: half a second is the least mistake.
      clockAheadMs: Number.isNaN(date) ? undefined : date + 500 - (startedAtMs + endedAtMs) / 2,
    };
  } catch (error) {
    const { message, name, cause } = error as Error;
    const reason = (cause ?? {}) as { code?: string; message?: string };
    return {
      status: undefined,
      headers: new Headers(),
      json: undefined,
      problem:
        name === 'TimeoutError'
          ? `no answer within ${TIMEOUT_MS / 1000} s`
          : (reason.code ?? reason.message ?? message),
      roundTripMs: systemClock.now() - startedAtMs,
      clockAheadMs: undefined,
    };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
