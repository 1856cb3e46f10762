// Real inputs that lie beside the repository and are no part of it. A test that needs them says that it was skipped where they are absent.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';

const directory = join(import.meta.dirname, '../../../shared/data');

/** The path of a real input, whether it is there or not. */
export const realData = (path: string): string => join(directory, path);

/** A `describe` that is skipped, with the reason in its name, where `path` is absent. */
export function describeWithRealData(name: string, path: string, body: () => void): void {
  if (existsSync(realData(path))) describe(name, body);
  else describe.skip(`${name} (skipped: ${path} is not beside this checkout)`, body);
}
