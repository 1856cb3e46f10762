// Server-Timing (W3C): how long each step of one request took. Worker clocks advance only at I/O, so steps of pure computing show 0 in
// production; nothing may be decided from these numbers.
import type { Clock } from '../shared/clock.ts';

export interface Timings {
  /** Runs `step` and notes how long it took under `name`; `description` must be a name (ids.ts). */
  time<T>(name: string, step: () => Promise<T>, description?: string): Promise<T>;
  /** The header's value: the steps in the order in which they ended. */
  serialize(): string;
}

export function createTimings(clock: Clock): Timings {
  const steps: string[] = [];
  return {
    time: async (name, step, description) => {
      const startedAtMs = clock.now();
      try {
        return await step();
      } finally {
        const durationMs = clock.now() - startedAtMs;
        steps.push(`${name}${description === undefined ? '' : `;desc="${description}"`};dur=${durationMs}`);
      }
    },
    serialize: () => steps.join(', '),
  };
}
