// Makes a release of lists that another engine has written. The record is claimed while they are read, as a load does,
// and is back as it was unless the lists are adopted.
import { APP_PROFILES } from '../../../origin/bigtable/app-profiles.ts';
import { FAMILIES, makeListQualifier, TABLES } from '../../../shared/domain/keys.ts';
import type { Release } from '../../../shared/domain/release.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { createBulkWriter } from '../../bigtable/writes/bulk-writer.ts';
import { formatCount, formatPlural } from '../../cli/format.ts';
import { keepOutById, watchKeepOut } from '../../effects/keep-out.ts';
import { createLazyClaim, requireHarmless } from '../../ingest/lazy-claim.ts';
import { countErasedSince } from './erased-since.ts';
import { describeShortage, findShort, groupShards, rangeOf, SHARDS } from './key-shards.ts';
import { lookElsewhere } from './look-elsewhere.ts';
import { type ReadLists, type ReadOptions, readLists } from './read-lists.ts';

export interface AdoptOptions extends Pick<ReadOptions, 'expected' | 'sample' | 'onShard'> {
  readonly by: string;
  readonly why: string | undefined;
  /** Reads and judges, and writes nothing. */
  readonly dryRun: boolean;
  /** Throws an Error without the hash key. Called only if a user is kept out. */
  readonly findRef: () => (id: string) => string;
}

export interface Adoption extends ReadLists {
  /** Why it is refused; empty if it is adopted. */
  readonly reasons: readonly string[];
  /** Users who were erased since the generation. 0 unless fewer lists were found than expected. */
  readonly erased: number;
}

/** Throws an Error if the generation is not free or the release would do harm, or an EarshotError. */
export async function adoptRelease(control: ControlTable, release: Release, options: AdoptOptions): Promise<Adoption> {
  const { by, why, dryRun, findRef } = options;
  const claimed = { by, why, add: false, takeOver: false, force: false, adopt: true };
  const claim = createLazyClaim(control, release, claimed);
  const keepOut = await watchKeepOut(control);
  try {
    await (dryRun ? requireHarmless(control, release, claimed) : claim.take());
    const read = await readLists(control, release, {
      ...{ ...options, keepOut: keepOutById(keepOut, findRef), requireHeld: claim.requireHeld },
    });
    const isLess = read.found > 0 && read.found < options.expected;
    const erased = isLess ? await countErasedSince(control, release.generation) : 0;
    const reasons = await findReasons(control, release, { ...read, erased }, options);
    if (reasons.length === 0 && !dryRun) {
      await deleteLists(control, release, read.keptOut);
      await claim.finish(read.summary);
    } else await claim.abandon(false);
    return { ...read, reasons, erased };
  } catch (error) {
    await claim.abandon(false);
    throw error;
  } finally {
    keepOut.stop();
  }
}

async function findReasons(
  control: ControlTable,
  release: Release,
  { found, counts, sampled, faultCount, faults, erased }: Omit<Adoption, 'reasons'>,
  { expected }: AdoptOptions,
): Promise<string[]> {
  const reasons: string[] = [];
  const numbers = `expected ${formatPlural(expected, 'list')}, got ${formatCount(found)}`;
  const ranges = Array.from({ length: SHARDS }, (_, shard) => rangeOf(shard));
  const shards = groupShards(counts, expected);
  // An erasure deletes the row of its user also between the engine's end and this command.
  const isErased = found + erased >= expected && findShort(shards).length === 0;
  if (found === 0) reasons.push(`${numbers}: ${await lookElsewhere(control, release, ranges)}`);
  else if (found < expected && !isErased) reasons.push(`${numbers}: ${describeShortage(shards)}`);
  else if (found > expected) reasons.push(`${numbers}: it was written more than once, or --expect-lists is wrong`);
  const [first] = faults;
  if (first !== undefined) {
    const numberOf = `${formatPlural(faultCount, 'fault')} in ${formatCount(found)} row keys and ${formatCount(sampled)} sampled lists`;
    reasons.push(`${numberOf}, first ${first.rowKey}: ${first.reason}`);
  }
  return reasons;
}

/** Deletes the cells of users that are kept out, as a load leaves out their lines. */
async function deleteLists(control: ControlTable, release: Release, rowKeys: readonly string[]): Promise<void> {
  const writer = createBulkWriter(control.bigtable, {
    ...{ table: TABLES.recommendations, family: FAMILIES.lists, timestampMs: release.generation },
    ...{ qualifier: makeListQualifier(release.surface, release.variant), appProfile: APP_PROFILES.ingest },
    ...{ clock: systemClock, random: Math.random },
  });
  for (const rowKey of rowKeys) await writer.write({ rowKey, value: undefined });
  await writer.flush();
}
