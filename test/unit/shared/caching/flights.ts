// Flights with loads that a test completes.
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createSingleflight } from '../../../../shared/caching/singleflight.ts';

/** A load that a test completes. */
function createLoads() {
  const open: { resolve(value: string): void; reject(error: Error): void }[] = [];
  const load = () => new Promise<string>((resolve, reject) => void open.push({ resolve, reject }));
  return { load, open, count: () => open.length };
}

export function setUp(isFailure?: (value: string) => boolean) {
  const clock = createManualClock();
  const loads = createLoads();
  const kept: Promise<unknown>[] = [];
  const flights = createSingleflight<string, string>({
    clock,
    ageTimeoutMs: 5000,
    ...(isFailure === undefined ? {} : { isFailure }),
  });
  const ask = (key = 'k', waitTimeoutMs = 1000) =>
    flights.run(key, { load: loads.load, waitTimeoutMs, keepAlive: (load) => void kept.push(load) });
  return { clock, loads, kept, flights, ask };
}

/** Runs all ready code. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
