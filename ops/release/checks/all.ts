// Every check of the gate, in the order of the table.
import { bytes } from './bytes.ts';
import type { Check } from './check.ts';
import { clusters } from './clusters.ts';
import { emptyLists } from './empty-lists.ts';
import { longLists } from './long-lists.ts';
import { overlap } from './overlap.ts';
import { scoreOrder } from './score-order.ts';
import { scoreSpread } from './score-spread.ts';
import { shortLists } from './short-lists.ts';
import { unchanged } from './unchanged.ts';
import { unknownItems } from './unknown-items.ts';
import { users } from './users.ts';

export const CHECKS: readonly Check[] = [
  ...[users, emptyLists, shortLists, longLists, bytes, overlap, unchanged],
  ...[unknownItems, scoreOrder, scoreSpread, clusters],
];

export const CHECK_NAMES: readonly string[] = CHECKS.map(({ name }) => name);
