// Reads of lists look at the age themselves: garbage collection is up to a week late. The table of these tests keeps
// lists for ten years, so only the reads can leave them out.
import { expect, onTestFinished, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { applySchema } from '../../../../ops/bigtable/schema/schema.ts';
import { MAX_LIST_MAX_AGE_DAYS } from '../../../../shared/domain/list.ts';
import { CLUSTERS, startEmptyInstance, TIMEOUT_MS, writeList } from '../instance.ts';
import { listKey, openTable, readCalls } from './running-table.ts';

const DAY_MS = 86_400_000;

/** A table that reads 30 days, at a full hour. `daysAgo`: a list of that age for the user of the same name. */
async function startAgedTable(...daysAgo: number[]) {
  const instance = await startEmptyInstance();
  const listMaxAgeDays = MAX_LIST_MAX_AGE_DAYS;
  await applySchema(instance.bigtable, { clusters: CLUSTERS, dryRun: false, listMaxAgeDays }, () => undefined);
  const clock = createManualClock(Math.floor(Date.now() / 3_600_000) * 3_600_000);
  const { table, seen } = await openTable(instance.address, { clock, listMaxAgeMs: 30 * DAY_MS });
  const nowMs = clock.now();
  const keyOf = (days: number, generation = nowMs) => listKey(`u:${days}`, { generation });
  for (const days of daysAgo) await writeList(instance.bigtable, keyOf(days, nowMs - days * DAY_MS), `${days} days`);
  instance.server.resetCounters();
  const read = async (...keys: ReturnType<typeof keyOf>[]) => {
    const results = await table.readLists(keys, TIMEOUT_MS);
    return results.map((each) => (each.kind === 'list' ? Buffer.from(each.bytes).toString() : each.kind));
  };
  onTestFinished(() => expect(seen.errors).toEqual([]));
  return { clock, keyOf, nowMs, read, seen, server: instance.server };
}

test('a list is read until it is 30 days old, to the full hour, and is absent from then on', async () => {
  const { clock, keyOf, read } = await startAgedTable(29, 30, 31);
  expect(await read(keyOf(29), keyOf(30), keyOf(31))).toEqual(['29 days', '30 days', 'absent']);
  clock.advance(3_599_999);
  expect(await read(keyOf(30))).toEqual(['30 days']);
  clock.advance(1);
  expect(await read(keyOf(30), keyOf(29))).toEqual(['absent', '29 days']);
});

test('a read of a generation that is too old is absent without a call, and its neighbours are read', async () => {
  const { keyOf, nowMs, read, server } = await startAgedTable(1, 40);
  const tooOld = keyOf(40, nowMs - 40 * DAY_MS);
  expect(await read(tooOld)).toEqual(['absent']);
  expect(readCalls(server)).toBe(0);
  expect(await read(tooOld, keyOf(1), tooOld)).toEqual(['absent', '1 days', 'absent']);
  expect(readCalls(server)).toBe(1);
});

test('reads of the same turn are one call, whatever their moment in the hour', async () => {
  const { clock, keyOf, read, seen } = await startAgedTable(1, 2);
  const first = read(keyOf(1));
  clock.advance(TIMEOUT_MS / 2);
  expect(await Promise.all([first, read(keyOf(2))])).toEqual([['1 days'], ['2 days']]);
  expect(seen.calls).toEqual([2]);
});
