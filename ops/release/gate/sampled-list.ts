// The part of a stored list that the checks look at. The list itself is not kept.
import { FIRST_ITEMS, type SampledList } from '../checks/check.ts';

interface StoredItem {
  readonly id?: unknown;
  readonly score?: unknown;
}

/** A value that is no stored list has no items. */
export function toSampledList(value: Buffer, generation: number, digest: string): SampledList {
  const items = parseItems(value);
  const scores = items.map(({ score }) => Number(score));
  return {
    generation,
    digest,
    bytes: value.length,
    items: items.length,
    ids: items.slice(0, FIRST_ITEMS).map(({ id }) => String(id)),
    isDescending: scores.every((score, i) => i === 0 || !(score > (scores[i - 1] ?? score))),
    spread: scores.length === 0 ? 0 : Math.max(...scores) - Math.min(...scores),
  };
}

function parseItems(value: Buffer): StoredItem[] {
  try {
    const items: unknown[] = JSON.parse(`[${value.toString('utf8')}]`);
    return items.every((item) => typeof item === 'object' && item !== null) ? (items as StoredItem[]) : [];
  } catch {
    return [];
  }
}
