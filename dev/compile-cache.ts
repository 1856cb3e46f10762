// Directory of compiled code for the processes of this machine: compiling takes most of their start-up. Where it cannot
// be written, nothing is kept.
import { join } from 'node:path';

export const COMPILE_CACHE =
  process.env.NODE_COMPILE_CACHE ?? join(import.meta.dirname, '../node_modules/.cache/earshot');
