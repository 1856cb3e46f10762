// What a measurement started and must end, whether it succeeds, fails or is interrupted. Steps run once, the newest
// first.

const EXIT_INTERRUPTED = 130;

export interface Cleanup {
  add(step: () => Promise<void> | void): void;
}

/**
 * What `work` gives, once every step that it added has run. Interrupted (SIGINT, SIGTERM), the steps run and the
 * process ends.
 */
export async function withCleanup<T>(work: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const steps: (() => Promise<void> | void)[] = [];
  const runSteps = async (): Promise<void> => {
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
  };
  const interrupt = (): void => {
    void runSteps().finally(() => process.exit(EXIT_INTERRUPTED));
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await work({ add: (step) => steps.push(step) });
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await runSteps();
  }
}
