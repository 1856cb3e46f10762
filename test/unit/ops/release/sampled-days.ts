// Days of lists as data: a good day changes the lists of the day before as much as real ones change. Deterministic.
import {
  type CheckInput,
  FIRST_ITEMS,
  type SampledList,
  type SampledUser,
} from '../../../../ops/release/checks/check.ts';
import { comparableSummaries } from '../../../../ops/release/gate/sample-summary.ts';
import { toSampledList } from '../../../../ops/release/gate/sampled-list.ts';
import { makeDigest } from '../../../../origin/bigtable/stored-values.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../../../shared/domain/list.ts';
import { unitHash } from '../../../../shared/runtime/hash.ts';

export const YESTERDAY = 1_704_078_000_000;
export const TODAY = 1_704_164_400_000;

export interface ScoredItem {
  readonly id: string;
  readonly score: number;
}

/** Items by user. */
export type Day = ReadonlyMap<string, readonly ScoredItem[]>;

const CATALOGUE = 5_000;

/** Each user has its own taste, with some popular items. */
export function makeDay(users: number, items = 50): Day {
  return new Map(
    Array.from({ length: users }, (_, u) => {
      const user = `u:${u}`;
      const ids = new Set<string>();
      for (let i = 0; ids.size < items; i++) ids.add(`item:${Math.floor(unitHash(`${user}/${i}`) ** 2 * CATALOGUE)}`);
      return [user, [...ids].map((id, i) => ({ id, score: 1 - i / (1.3 * items) }))];
    }),
  );
}

/** The next good day: scores move, so that the mean overlap@10 is that of real generations, 0.86. */
export const nextDay = (day: Day, seed: number): Day =>
  new Map(
    [...day].map(([user, items]) => [
      user,
      items
        .map(({ id, score }) => ({
          id,
          score: Math.min(1, score * (1 + 0.25 * (unitHash(`${seed}/${user}/${id}`) - 0.5))),
        }))
        .sort((a, b) => b.score - a.score),
    ]),
  );

export function sampleOf(items: readonly ScoredItem[], generation: number): SampledList {
  const value = Buffer.from(items.map(({ id, score }) => encodeItem(id, String(score))).join(ITEM_SEPARATOR));
  return toSampledList(value, generation, makeDigest(value));
}

export interface Faults {
  readonly unknown?: (id: string) => boolean;
  readonly differing?: Readonly<Record<string, number>>;
}

/** The input of the checks, as if every list had been sampled. */
export function compare(
  live: Day | undefined,
  next: Day,
  { unknown = () => false, differing = {} }: Faults = {},
): CheckInput {
  const names = new Set([...(live?.keys() ?? []), ...next.keys()]);
  const users: SampledUser[] = [...names].map((user) => ({
    rowKey: user,
    new: toSample(next.get(user), TODAY),
    live: toSample(live?.get(user), YESTERDAY),
  }));
  const lookedUp = new Set(users.flatMap((user) => [...(user.new?.ids ?? []), ...(user.live?.ids ?? [])]));
  const liveGeneration = live === undefined ? undefined : YESTERDAY;
  return {
    users,
    liveGeneration,
    lookedUp,
    unknown: new Set([...lookedUp].filter(unknown)),
    differing: { asia: 0, europe: 0, us: 0, ...differing },
    summaries: comparableSummaries({ new: undefined, live: undefined }, users, liveGeneration),
  };
}

const toSample = (items: readonly ScoredItem[] | undefined, generation: number): SampledList | undefined =>
  items === undefined ? undefined : sampleOf(items, generation);

export function meanOverlapOf(a: Day, b: Day): number {
  const shares = [...a].map(([user, items]) => {
    const first = new Set(items.slice(0, FIRST_ITEMS).map(({ id }) => id));
    return (b.get(user) ?? []).slice(0, FIRST_ITEMS).filter(({ id }) => first.has(id)).length / FIRST_ITEMS;
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** The lists of a day, each under the next user's name. */
export function swapUsers(day: Day): Day {
  const lists = [...day.values()];
  return new Map([...day.keys()].map((user, i) => [user, lists[(i + 1) % lists.length] ?? []]));
}

export const mapLists = (
  day: Day,
  change: (items: readonly ScoredItem[], index: number) => readonly ScoredItem[] | undefined,
): Day =>
  new Map(
    [...day].flatMap(([user, items], index) => {
      const changed = change(items, index);
      return changed === undefined ? [] : [[user, changed] as const];
    }),
  );

/** The lists with `times` as many items. */
export const lengthen = (day: Day, times: number): Day =>
  mapLists(day, (items) => [
    ...items,
    ...Array.from({ length: (times - 1) * items.length }, (_, i) => ({
      id: `more:${i}`,
      score: (items.at(-1)?.score ?? 0) / (i + 2),
    })),
  ]);
