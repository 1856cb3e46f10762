// The generations of a variant whose lists Bigtable still keeps.
import { LIST_VERSIONS } from './schema/tables.ts';

/** Newest first. */
export const newestKept = (generations: readonly number[]): number[] =>
  [...new Set(generations)].sort((a, b) => b - a).slice(0, LIST_VERSIONS);
