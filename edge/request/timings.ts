// Server-Timing (W3C): how long each step of one request took. A step that many reads of a batch take at once is one entry: the time during
// which it was under way for any of them. Worker clocks advance only at I/O, so steps of pure computing show 0 in production; nothing may be
// decided from these numbers.
import type { Clock } from '../../shared/runtime/clock.ts';

export interface Timings {
  /** Runs `step` and notes how long it took under `name`; `description` must be a name (ids.ts). */
  time<T>(name: string, step: () => T | Promise<T>, description?: string): Promise<T>;
  /** Notes a step that was over at once, because what it is there for was known. */
  note(name: string): void;
  /** The header's value: one entry per name and description, in the order in which they began. */
  serialize(): string;
}

interface Step {
  running: number;
  /** When the first of those that run now began. */
  sinceMs: number;
  durationMs: number;
}

export function createTimings(clock: Clock): Timings {
  const steps = new Map<string, Step>();

  function begin(label: string): Step {
    const step = steps.get(label) ?? { running: 0, sinceMs: 0, durationMs: 0 };
    if (step.running++ === 0) step.sinceMs = clock.now();
    steps.set(label, step);
    return step;
  }

  function end(step: Step): void {
    if (--step.running === 0) step.durationMs += clock.now() - step.sinceMs;
  }

  return {
    note: (name) => end(begin(name)),
    time: async (name, run, description) => {
      const step = begin(description === undefined ? name : `${name};desc="${description}"`);
      try {
        return await run();
      } finally {
        end(step);
      }
    },
    serialize: () =>
      [...steps]
        .map(([label, { running, sinceMs, durationMs }]) => {
          const runningMs = running === 0 ? 0 : clock.now() - sinceMs;
          return `${label};dur=${durationMs + runningMs}`;
        })
        .join(', '),
  };
}
