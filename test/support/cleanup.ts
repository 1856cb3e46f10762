// Steps that end what a test has started, the newest first.
import type { Cleanup } from '../../bench/support/cleanup.ts';

export interface Steps extends Cleanup {
  run(): Promise<void>;
}

export function createSteps(): Steps {
  const steps: (() => Promise<unknown> | unknown)[] = [];
  return {
    add: (step) => steps.push(step),
    run: async () => {
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
    },
  };
}
