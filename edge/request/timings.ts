// Durations of one request's steps, serialised as Server-Timing (W3C). Concurrent runs of a step in a batch are one
// entry: the time during which any of them ran. Worker clocks advance only at I/O, so CPU-only steps show 0 in
// production; no decision may rest on these numbers.
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Trace } from './trace.ts';

export interface Timings {
  /**
   * Runs `step` and adds its duration to `name`. A traced step is a span, too. `description` must be a name
   * (shared/domain/ids.ts).
   */
  time<T>(name: string, step: () => T | Promise<T>, description?: string): Promise<T>;
  /** Adds a step of duration 0, for a result that was already in memory. */
  addInstant(name: string): void;
  /** The header's value: one entry per name and description, in order of their start. */
  serialize(): string;
}

interface Step {
  running: number;
  /** Start of the first run that is in progress. */
  sinceMs: number;
  durationMs: number;
}

/** `trace`: that of the request, if it is recorded. */
export function createTimings(clock: Clock, trace?: Trace): Timings {
  const steps = new Map<string, Step>();

  function startStep(label: string): Step {
    const step = steps.get(label) ?? { running: 0, sinceMs: 0, durationMs: 0 };
    if (step.running++ === 0) step.sinceMs = clock.now();
    steps.set(label, step);
    return step;
  }

  function endStep(step: Step): void {
    if (--step.running === 0) step.durationMs += clock.now() - step.sinceMs;
  }

  return {
    addInstant: (name) => endStep(startStep(name)),
    time: async (name, run, description) => {
      const step = startStep(description === undefined ? name : `${name};desc="${description}"`);
      try {
        return await (trace === undefined ? run() : trace.span(name, { 'earshot.of': description }, run));
      } finally {
        endStep(step);
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
