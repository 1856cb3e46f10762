// Real inputs beside the repository; they are not part of it.
import { join } from 'node:path';

const directory = join(import.meta.dirname, '../../../shared/data');

/** Path of a real input, which may be missing. */
export const realData = (path: string): string => join(directory, path);
