// Real inputs that lie beside the repository and are no part of it.
import { join } from 'node:path';

const directory = join(import.meta.dirname, '../../../shared/data');

/** The path of a real input, whether it is there or not. */
export const realData = (path: string): string => join(directory, path);
