// A test that needs real inputs, which are no part of the repository, says that it was skipped where they are absent.
import { existsSync } from 'node:fs';
import { describe } from 'vitest';
import { realData } from '../../bench/support/real-data.ts';

export { realData };

/** A `describe` that is skipped, with the reason in its name, where `path` is absent. */
export function describeWithRealData(name: string, path: string, body: () => void): void {
  if (existsSync(realData(path))) describe(name, body);
  else describe.skip(`${name} (skipped: ${path} is not beside this checkout)`, body);
}
