// The deployed worker, bundled once for all files of a run: a bundle takes seconds of CPU. The first file that asks
// makes it, and the others wait.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { bundleEdge, type WorkerBundle } from '../../../bench/rigs/worker-bundle.ts';
import { eventuallySeldom } from '../waiting.ts';
import type {} from './run-directory.ts';

type Outcome = { readonly bundle: WorkerBundle } | { readonly failure: string };

/** Throws an Error if the worker cannot be bundled. A test must not change its files. */
export async function shareEdgeBundle(): Promise<WorkerBundle> {
  const directory = join(inject('runDirectory'), 'edge');
  const file = join(inject('runDirectory'), 'edge.json');
  if (isFirst(directory)) {
    const outcome: Outcome = await bundleEdge(directory).then(
      (bundle) => ({ bundle }),
      (error: Error) => ({ failure: error.message }),
    );
    // Whole, or not there.
    writeFileSync(`${file}.part`, JSON.stringify(outcome));
    renameSync(`${file}.part`, file);
  }
  let outcome: Outcome | undefined;
  await eventuallySeldom(() => {
    outcome = JSON.parse(readFileSync(file, 'utf8'));
  });
  if (outcome !== undefined && 'bundle' in outcome) return outcome.bundle;
  throw new Error(`the worker could not be bundled: ${outcome?.failure}`);
}

/** Whether this call has made the directory. */
function isFirst(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
