// A sample of the lists of two releases: the same users in every region, each region by its own cluster. It keeps a few
// values of a list, so its memory has a bound.

import { makeServeProfile } from '../../../origin/bigtable/app-profiles.ts';
import type { Cell, Row } from '../../../origin/bigtable/chunk-merger.ts';
import { readRows, rowsOf } from '../../../origin/bigtable/read-rows.ts';
import { makeDigest } from '../../../origin/bigtable/stored-values.ts';
import { POPULAR_USER } from '../../../shared/domain/ids.ts';
import { makeRowKey, TABLES } from '../../../shared/domain/keys.ts';
import { EarshotError } from '../../../shared/wire/errors.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { withRetries } from '../../bigtable/retry.ts';
import type { SampledList, SampledUser } from '../checks/check.ts';
import { type SampledReleases, sampleFilter } from './sample-filter.ts';
import {
  endOfSample,
  firstRange,
  keysOf,
  nextRange,
  PREFIXES,
  type PrefixRange,
  prefixOf,
  SAMPLE_USERS,
  spreadRanges,
} from './sample-ranges.ts';
import { toSampledList } from './sampled-list.ts';

export interface Sample {
  readonly users: readonly SampledUser[];
  /** Number of users whose new list is missing or different in a region, by region. */
  readonly differing: Readonly<Record<string, number>>;
  /** The reason why the first part ended before it had enough users. Undefined at the end of the table, too. */
  readonly endedEarly: string | undefined;
}

export interface SampleOptions extends SampledReleases {
  readonly regions: readonly string[];
  /** Default: SAMPLE_USERS. */
  readonly targetUsers?: number;
}

interface OpenUser {
  new: SampledList | undefined;
  live: SampledList | undefined;
  /** Digest of the new list by region. */
  readonly digests: Map<string, string>;
}

type Users = Map<string, OpenUser>;

/** Throws an EarshotError. */
export async function readSample(control: ControlTable, options: SampleOptions): Promise<Sample> {
  const users: Users = new Map();
  const { readTo, endedEarly } = await readFirstPart(control, options, users);
  for (const ranges of spreadRanges(readTo, users.size))
    await readRanges(control, options, { rowRanges: ranges.map(keysOf) }, users);
  // A variant can have this list alone, in a table of any size.
  await readRanges(control, options, rowsOf([POPULAR_ROW_KEY]), users);
  return { ...toSample(users, options.regions), endedEarly };
}

const POPULAR_ROW_KEY = makeRowKey(POPULAR_USER);

async function readFirstPart(control: ControlTable, options: SampleOptions, users: Users) {
  const { targetUsers = SAMPLE_USERS } = options;
  let range: PrefixRange | undefined = firstRange;
  let readTo = 0;
  while (range !== undefined && users.size < targetUsers) {
    try {
      await readRanges(control, options, { rowRanges: [keysOf(range)] }, users);
    } catch (error) {
      if (!isTooLarge(error, readTo)) throw error;
      return { readTo, endedEarly: `the sample ends after ${readTo} of ${PREFIXES} prefixes: the next took too long` };
    }
    readTo = range.to;
    range = nextRange(readTo, users.size);
  }
  const end = endOfSample([...users.keys()].map(prefixOf), targetUsers);
  for (const rowKey of users.keys()) if (end !== undefined && prefixOf(rowKey) >= end) users.delete(rowKey);
  return { readTo: end ?? readTo, endedEarly: undefined };
}

/** A variant with few users in a large table: a range without its lists takes as long as one with them. */
const isTooLarge = (error: unknown, readTo: number): boolean =>
  error instanceof EarshotError && error.code === 'deadline_exceeded' && readTo > firstRange.to;

/** Reads the same rows in all regions, and merges them. */
async function readRanges(
  { bigtable, retries }: ControlTable,
  options: SampleOptions,
  rows: Parameters<typeof readRows>[1]['rows'],
  users: Users,
): Promise<void> {
  const filter = sampleFilter(options);
  const read = await Promise.all(
    options.regions.map((region) =>
      withRetries(retries, (timeoutMs) =>
        readRows(bigtable, {
          ...{ table: TABLES.recommendations, appProfile: makeServeProfile(region), rows, filter, timeoutMs },
        }),
      ),
    ),
  );
  for (const [i, region] of options.regions.entries()) {
    for (const row of read[i] ?? []) addRow(users, region, row, options);
  }
}

function addRow(users: Users, region: string, { key, cells }: Row, { release, live }: SampleOptions): void {
  const rowKey = key.toString('latin1');
  const user: OpenUser = users.get(rowKey) ?? { new: undefined, live: undefined, digests: new Map() };
  users.set(rowKey, user);
  const isNew = (cell: Cell): boolean => generationOf(cell) === release.generation;
  const newCell = cells.find(isNew);
  if (newCell !== undefined) {
    const digest = makeDigest(newCell.value);
    user.digests.set(region, digest);
    user.new ??= toSampledList(newCell.value, generationOf(newCell), digest);
  }
  // The live release can serve the list of an older one that is checked again: then the cell comes twice.
  const liveCell = cells.find((cell) => !isNew(cell)) ?? cells[1];
  if (live !== undefined && liveCell !== undefined)
    user.live ??= toSampledList(liveCell.value, generationOf(liveCell), makeDigest(liveCell.value));
}

const generationOf = ({ timestampMicros }: Cell): number => timestampMicros / 1000;

function toSample(users: Users, regions: readonly string[]): Omit<Sample, 'endedEarly'> {
  const differing = Object.fromEntries(
    regions.map((region) => [
      region,
      [...users.values()].filter((user) => user.digests.get(region) !== user.new?.digest).length,
    ]),
  );
  return {
    users: [...users].map(([rowKey, user]) => ({ rowKey, new: user.new, live: user.live })),
    differing,
  };
}
