// Tests with real inputs, which are not part of the repository. Without the inputs a suite is skipped, and its name
// says so.
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { realData } from '../../bench/support/real-data.ts';

export { realData };

/** Makes a missing input a failure instead of a skip. */
const isRequired = process.env.EARSHOT_REQUIRE_REAL_DATA === '1';

/** A `describe` that needs the real input at `path`. */
export function describeWithRealData(name: string, path: string, body: () => void): void {
  if (existsSync(realData(path))) describe(name, body);
  else if (isRequired) test(name, () => expect.fail(`no ${path} beside this checkout: put it there`));
  else describe.skip(`${name} (skipped: ${path} is not beside this checkout)`, body);
}
