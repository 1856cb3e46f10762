// Real inputs beside the repository; they are not part of it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const directory = join(import.meta.dirname, '../../../shared/data');

/** Path of a real input, which may be missing. */
export const realData = (path: string): string => join(directory, path);

/** Throws an Error without the input. */
export function requireRealData(path: string): string {
  const found = realData(path);
  if (existsSync(found)) return found;
  throw new Error(`expected the real input ${found}: it is not part of the repository`);
}
