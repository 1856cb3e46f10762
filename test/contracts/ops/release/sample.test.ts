// The sample of the gate: the same users in every region, each read through its own cluster.
import { describe, expect, test } from 'vitest';
import { checkRelease } from '../../../../ops/release/gate/check-release.ts';
import { readSample } from '../../../../ops/release/gate/sample.ts';
import { prefixOf } from '../../../../ops/release/gate/sample-ranges.ts';
import { POPULAR_USER, toUserId } from '../../../../shared/domain/ids.ts';
import { makeRowKey } from '../../../../shared/domain/keys.ts';
import { makeDay, nextDay, swapUsers } from '../../../unit/ops/release/sampled-days.ts';
import { MONDAY, REGIONS, TUESDAY, WEDNESDAY } from '../../origin/instance.ts';
import { type Gate, manifestWith, releaseOf, startGate, startTuesday } from './gate-instance.ts';

const USERS = 200;
const monday = makeDay(USERS, 20);
const tuesday = nextDay(monday, 1);
const wednesday = nextDay(tuesday, 2);

type Client = Awaited<ReturnType<Gate['bigtable']['data']>>;

/** A client whose reads up to the end of the table have a millisecond. */
function withoutTimeForEnd(client: Client): Client {
  const readRows: Client['readRows'] = (request, options) => {
    const isToEnd = request?.rows?.rowRanges?.length === 1 && String(request.rows.rowRanges[0]?.endKeyOpen) === 'g';
    return client.readRows(request, isToEnd ? { ...options, timeout: 1 } : options);
  };
  return { readRows } as Client;
}

describe('the sample', () => {
  const users = (sample: Awaited<ReturnType<typeof readSample>>) => sample.users.map(({ rowKey }) => rowKey).sort();

  test('has the same users every day, whole prefixes from 0000 on and single ones behind them', async () => {
    const { control, writeLists } = await startGate();
    const many = makeDay(3_000, 2);
    await writeLists(MONDAY, many);
    await writeLists(TUESDAY, nextDay(many, 1));
    const common = { regions: REGIONS, lineage: undefined, targetUsers: 100 };
    const first = await readSample(control, { ...common, release: releaseOf(MONDAY), live: undefined });
    const second = await readSample(control, { ...common, release: releaseOf(TUESDAY), live: MONDAY });
    expect(users(second)).toEqual(users(first));
    const keys = [...many.keys()].map((user) => makeRowKey(toUserId(user))).sort();
    const last = prefixOf(keys[99] ?? '');
    const whole = keys.filter((key) => prefixOf(key) <= last);
    const spread = users(second).slice(whole.length);
    expect(users(second).slice(0, whole.length)).toEqual(whole);
    expect(spread).toEqual(keys.slice(whole.length).filter((key) => (prefixOf(key) + 1) % 256 === 0));
    expect(spread.length).toBeGreaterThan(3);
  });

  test('has the popular list, and ends where a table is too large for a variant with few lists', async () => {
    const { bigtable, control, record, writeLists } = await startGate();
    const many = new Map([...makeDay(3_000, 2), ['~popular', [{ id: 'item:1', score: 1 }]] as const]);
    await writeLists(MONDAY, many);
    await record(MONDAY, many);
    const large = { ...control, bigtable: { ...bigtable, data: async () => withoutTimeForEnd(await bigtable.data()) } };
    const options = { regions: REGIONS, lineage: undefined, release: releaseOf(MONDAY), live: undefined };
    const sample = await readSample(large, options);
    expect(sample.endedEarly).toMatch(/^the sample ends after \d+ of 65536 prefixes: the next took too long$/);
    expect(users(sample)).toContain(makeRowKey(POPULAR_USER));
    expect(sample.users.length).toBeGreaterThan(10);
    expect(sample.users.length).toBeLessThan(3_000);
    const manifest = { ...manifestWith(), surfaces: {} };
    expect(await checkRelease(large, releaseOf(MONDAY), { manifest, regions: REGIONS })).toMatchObject({
      verdict: 'passed',
      notes: [sample.endedEarly],
    });
  });

  test('reads each region through its own cluster', async () => {
    const { check, server } = await startTuesday(monday, tuesday);
    server.resetCounters();
    await check({ regions: ['europe', 'us'] });
    const reads = REGIONS.map((region) => server.counters(region).calls.ReadRows ?? 0);
    // Asia has the control table alone: the two records.
    expect(reads[0]).toBe(2);
    expect(reads[1]).toBeGreaterThan(3);
    expect(reads[2]).toBeGreaterThan(3);
  });

  test('finds lists that a cluster lacks behind the first part', async () => {
    const { control, server, writeLists } = await startGate();
    const many = makeDay(6_000, 2);
    const isLate = (user: string): boolean => prefixOf(makeRowKey(toUserId(user))) >= 0xe000;
    await writeLists(MONDAY, new Map([...many].filter(([user]) => !isLate(user))));
    server.stopReplication('us');
    await writeLists(MONDAY, many);
    const options = {
      regions: REGIONS,
      lineage: undefined,
      targetUsers: 50,
      release: releaseOf(MONDAY),
      live: undefined,
    };
    const { differing } = await readSample(control, options);
    expect(differing).toEqual({ asia: 0, europe: 0, us: expect.any(Number) });
    expect(differing.us).toBeGreaterThan(0);
  });

  test('passes over lists that the lineage does not name, as origins do', async () => {
    const { control, writeLists } = await startGate();
    await writeLists(MONDAY, monday);
    await writeLists(TUESDAY, swapUsers(tuesday));
    await writeLists(WEDNESDAY, wednesday);
    const generationsWith = async (live: number, lineage: number[] | undefined, of = WEDNESDAY) => {
      const sample = await readSample(control, { regions: REGIONS, release: releaseOf(of), live, lineage });
      return [...new Set(sample.users.map((user) => `${user.new?.generation}/${user.live?.generation}`))];
    };
    expect(await generationsWith(TUESDAY + 1, undefined)).toEqual([`${WEDNESDAY}/${TUESDAY}`]);
    expect(await generationsWith(TUESDAY + 1, [TUESDAY + 1, MONDAY])).toEqual([`${WEDNESDAY}/${MONDAY}`]);
    expect(await generationsWith(TUESDAY, [TUESDAY])).toEqual([`${WEDNESDAY}/${TUESDAY}`]);
    // An older release that is checked again.
    expect(await generationsWith(WEDNESDAY, [WEDNESDAY, MONDAY], MONDAY)).toEqual([`${MONDAY}/${WEDNESDAY}`]);
    expect(await generationsWith(WEDNESDAY + 1, [WEDNESDAY + 1, MONDAY], MONDAY)).toEqual([`${MONDAY}/${MONDAY}`]);
    expect(await generationsWith(WEDNESDAY + 1, [WEDNESDAY + 1], MONDAY)).toEqual([`${MONDAY}/undefined`]);
  });
});
