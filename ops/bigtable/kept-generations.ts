// The generations of a variant whose lists Bigtable still keeps.
import { isItems, type Line } from '../../shared/domain/release.ts';
import { ITEM_VERSIONS, LIST_VERSIONS } from './schema/tables.ts';

/** Versions that Bigtable keeps of a list, or of an item's metadata. */
export const versionsOf = (line: Line): number => (isItems(line) ? ITEM_VERSIONS : LIST_VERSIONS);

/** Newest first. */
export const newestKept = (generations: readonly number[], versions = LIST_VERSIONS): number[] =>
  [...new Set(generations)].sort((a, b) => b - a).slice(0, versions);
