// Summaries of two releases that can be compared: those of their loads, or else both from the sample.
import { murmur3 } from '../../../shared/runtime/hash.ts';
import type { ReleaseSummary } from '../../bigtable/release-record.ts';
import type { SampledList, SampledUser } from '../checks/check.ts';

export interface Summaries {
  readonly new: ReleaseSummary;
  readonly live: ReleaseSummary | undefined;
}

/** A summary of a load and one of a sample differ in size, so one without the other is not used. */
export function comparableSummaries(
  recorded: { readonly new: ReleaseSummary | undefined; readonly live: ReleaseSummary | undefined },
  users: readonly SampledUser[],
  liveGeneration: number | undefined,
): Summaries {
  const { new: ofNew, live: ofLive } = recorded;
  if (ofNew !== undefined && (ofLive !== undefined || liveGeneration === undefined))
    return { new: ofNew, live: liveGeneration === undefined ? undefined : ofLive };
  return {
    new: summarize(users.flatMap(({ rowKey, new: list }) => (list === undefined ? [] : [{ rowKey, list }]))),
    live: liveGeneration === undefined ? undefined : summarize(ownLists(users, liveGeneration)),
  };
}

interface OwnedList {
  readonly rowKey: string;
  readonly list: SampledList;
}

/** Older lists belong to older releases. */
const ownLists = (users: readonly SampledUser[], generation: number): OwnedList[] =>
  users.flatMap(({ rowKey, live }) => (live?.generation === generation ? [{ rowKey, list: live }] : []));

/** The summary of sampled lists. Its checksum is comparable with that of the same sample alone. */
export function summarize(lists: readonly OwnedList[]): ReleaseSummary {
  return {
    lists: lists.length,
    rejects: 0,
    items: spreadOf(lists.map(({ list }) => list.items)),
    bytes: spreadOf(lists.map(({ list }) => list.bytes)),
    checksum: checksumOf(lists),
  };
}

function spreadOf(values: readonly number[]): ReleaseSummary['items'] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

/** Independent of the order. */
function checksumOf(lists: readonly OwnedList[]): string {
  let sum = 0n;
  for (const { rowKey, list } of lists) {
    const text = `${rowKey}/${list.digest}`;
    sum += (BigInt(murmur3(text, 1)) << 32n) | BigInt(murmur3(text, 2));
  }
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}
