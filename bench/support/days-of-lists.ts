// Days of recommendations for tests and benchmarks: from one day to the next two of a list's first ten items change.
import { murmur3 } from '../../shared/runtime/hash.ts';

export const ITEMS = 20;
/** Items of all lists. */
export const ALL_ITEMS = 20_000;

export const userOf = (i: number): string => `u:${i}`;

/** Ids of the items of a user's list on a day, best first. */
export function itemsOn(user: string, day: number): string[] {
  return Array.from({ length: ITEMS }, (_, i) => {
    // The item at this place is as old as its last change: place `i` changes every fifth day.
    const changedOn = Math.floor((day + i) / 5);
    return `item:${(murmur3(`${user}/${i}/${changedOn}`) % (ALL_ITEMS / ITEMS)) * ITEMS + i}`;
  });
}

export interface ListOfUser {
  readonly user: string;
  readonly items: readonly { readonly id: string; readonly score: number }[];
}

export const listOn = (user: string, day: number): ListOfUser => ({
  user,
  items: itemsOn(user, day).map((id, i) => ({ id, score: Number((1 - i / 100).toFixed(2)) })),
});

/** The file of a day. `change` returns undefined for a user without a list. */
export function* linesOn(
  users: Iterable<string>,
  day: number,
  change: (list: ListOfUser) => ListOfUser | undefined = (list) => list,
): Generator<string> {
  for (const user of users) {
    const list = change(listOn(user, day));
    if (list !== undefined) yield `${JSON.stringify(list)}\n`;
  }
}
