// Cleanup of a measurement's processes and files on success, failure or interruption. Each step runs once, the newest
// first.

const EXIT_INTERRUPTED = 130;

export interface Cleanup {
  add(step: () => Promise<void> | void): void;
}

export interface Steps extends Cleanup {
  run(): Promise<void>;
}

export function createSteps(): Steps {
  const steps: (() => Promise<void> | void)[] = [];
  return {
    add: (step) => steps.push(step),
    run: async () => {
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
    },
  };
}

/**
 * The result of `work`, after all of its cleanup steps have run. On SIGINT or SIGTERM the steps run and the process
 * ends.
 */
export async function withCleanup<T>(work: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const steps = createSteps();
  const interrupt = (): void => {
    void steps.run().finally(() => process.exit(EXIT_INTERRUPTED));
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await work(steps);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await steps.run();
  }
}
