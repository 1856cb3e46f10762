// Items that no answer may hold, as a document: `{"format":1,"items":[[id, untilMs], ...]}`. `null`: until it is
// unblocked.
import { PUBLIC_ID_PATTERN } from '../ids.ts';

/** Maximum number of blocked items. */
export const MAX_BLOCKED_ITEMS = 10_000;

export type BlockedItem = readonly [id: string, untilMs: number | null];

export interface BlockList {
  readonly items: readonly BlockedItem[];
  /** The items that are blocked at `nowMs`: the same object as long as they are the same. Undefined: none. */
  at(nowMs: number): ReadonlySet<string> | undefined;
}

export const NOTHING_BLOCKED: BlockList = { items: [], at: () => undefined };

/** Throws an Error for any other value than an object with such items. */
export function parseBlockList(value: object): BlockList {
  const { items } = value as { readonly items?: unknown };
  if (!Array.isArray(items) || items.length > MAX_BLOCKED_ITEMS)
    throw new Error(`expected at most ${MAX_BLOCKED_ITEMS} blocked items, got ${describe(items)}`);
  const wrong = items.find((each) => !isBlockedItem(each));
  if (wrong !== undefined) throw new Error(`expected an item id and a moment or null, got ${JSON.stringify(wrong)}`);
  return makeBlockList(items as BlockedItem[]);
}

export function makeBlockList(items: readonly BlockedItem[]): BlockList {
  let current: ReadonlySet<string> | undefined;
  /** The set holds until then: an item's block ends. */
  let untilMs = Number.NEGATIVE_INFINITY;
  let fromMs = Number.POSITIVE_INFINITY;
  return {
    items,
    at: (nowMs) => {
      if (nowMs >= fromMs && nowMs < untilMs) return current;
      const live = items.filter(([, until]) => until === null || nowMs < until);
      fromMs = Math.max(0, ...items.flatMap(([, until]) => (until !== null && until <= nowMs ? [until] : [])));
      untilMs = Math.min(...live.map(([, until]) => until ?? Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
      current = live.length === 0 ? undefined : new Set(live.map(([id]) => id));
      return current;
    },
  };
}

const isBlockedItem = (value: unknown): boolean =>
  Array.isArray(value) &&
  typeof value[0] === 'string' &&
  PUBLIC_ID_PATTERN.test(value[0]) &&
  (value[1] === null || (Number.isSafeInteger(value[1]) && value[1] >= 0));

const describe = (value: unknown): string => (Array.isArray(value) ? String(value.length) : typeof value);
