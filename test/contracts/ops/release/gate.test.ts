// The gate against three clusters: every bad day is refused by the check of its fault, and a good day passes.
import { describe, expect, test } from 'vitest';
import { readRegions } from '../../../../ops/release/gate/serving-regions.ts';
import { nameRelease } from '../../../../shared/domain/release.ts';
import { type Day, lengthen, makeDay, mapLists, nextDay, swapUsers } from '../../../unit/ops/release/sampled-days.ts';
import { MONDAY, REGIONS, recordLoad, TUESDAY } from '../../origin/instance.ts';
import { type Gate, manifestWith, releaseOf, startGate, startTuesday } from './gate-instance.ts';

const USERS = 200;
const monday = makeDay(USERS, 20);
const tuesday = nextDay(monday, 1);

const refusedBy = ({ rows }: Awaited<ReturnType<Gate['check']>>): string[] =>
  rows.flatMap(({ check, verdict }) => (verdict === 'refused' ? [check] : []));

const half = (day: Day): Day => mapLists(day, (items, i) => (i % 2 === 0 ? items : undefined));
const reversed: Day = mapLists(tuesday, (items) => {
  const scores = items.map(({ score }) => score).reverse();
  return items.map(({ id }, i) => ({ id, score: scores[i] ?? 0 }));
});

test('a good day passes, with every user in the table of the gate', async () => {
  const { check } = await startTuesday(monday, tuesday);
  const table = await check();
  expect(table).toMatchObject({
    release: nameRelease(releaseOf(TUESDAY)),
    live: nameRelease(releaseOf(MONDAY)),
    sampled: { users: USERS, regions: REGIONS },
    verdict: 'passed',
    reasons: [],
    notes: [],
  });
  expect(table.rows.map(({ check: name, live, new: now }) => [name, live, now])).toEqual([
    ['users', USERS, USERS],
    ['empty-lists', 0, 0],
    ['short-lists', undefined, 0],
    ['long-lists', undefined, 0],
    ['bytes', expect.any(Number), expect.any(Number)],
    ['overlap', undefined, expect.any(Number)],
    ['unchanged', undefined, expect.any(Number)],
    ['unknown-items', 0, 0],
    ['score-order', 0, 0],
    ['score-spread', expect.any(Number), expect.any(Number)],
    ['clusters', undefined, 0],
  ]);
});

describe('a bad day is refused', () => {
  test.each<[fault: string, day: Day, by: string[]]>([
    ['half of the rows missing', half(tuesday), ['users', 'empty-lists']],
    ['users swapped', swapUsers(tuesday), ['overlap']],
    ['lists three times as long', lengthen(tuesday, 3), ['long-lists', 'bytes']],
    ["yesterday's file again", monday, ['unchanged']],
    [
      'unknown items',
      mapLists(tuesday, (items) => items.map((each) => ({ ...each, id: `new-${each.id}` }))),
      ['overlap', 'unknown-items'],
    ],
    ['scores reversed', reversed, ['score-order']],
  ])('%s', async (_fault, day, by) => {
    const { check } = await startTuesday(monday, day);
    const table = await check();
    expect(refusedBy(table)).toEqual(by);
    expect(table).toMatchObject({
      verdict: 'refused',
      reasons: by.map((name) => expect.stringContaining(`${name}: `)),
    });
  });

  test.each(REGIONS.filter((region) => region !== 'asia'))('the cluster of %s truncated', async (region) => {
    const { check, record, server, writeItems, writeLists } = await startGate();
    await writeLists(MONDAY, monday);
    await writeItems(monday);
    await writeLists(TUESDAY, half(tuesday));
    server.stopReplication(region);
    await writeLists(TUESDAY, tuesday);
    await record(MONDAY, monday);
    await record(TUESDAY, tuesday);
    const table = await check();
    expect(refusedBy(table)).toEqual(['clusters']);
    expect(table.reasons).toEqual([`clusters: expected at most 0, got 0.5; ${region} differs in 100 of 200`]);
    expect(refusedBy(await check({ regions: REGIONS.filter((each) => each !== region) }))).toEqual([]);
  });

  test('the cluster that is asked first truncated, or empty', async () => {
    const { check, record, server, writeItems, writeLists } = await startGate();
    await writeItems(monday);
    server.stopReplication('us');
    await writeLists(MONDAY, monday);
    await writeLists(TUESDAY, tuesday);
    await record(MONDAY, monday);
    await record(TUESDAY, tuesday);
    const table = await check({ regions: ['us', 'asia', 'europe'] });
    expect(refusedBy(table)).toEqual(['clusters']);
    expect(table.reasons).toEqual(['clusters: expected at most 0, got 1; us differs in 200 of 200']);
  });

  test('a cluster with other contents', async () => {
    const { check, record, server, writeItems, writeLists } = await startGate();
    await Promise.all([writeItems(monday), writeLists(MONDAY, monday), writeLists(TUESDAY, tuesday)]);
    server.stopReplication('europe');
    await writeLists(
      TUESDAY,
      mapLists(tuesday, (items, i) => (i === 7 ? items.slice(1) : items)),
    );
    await record(MONDAY, monday);
    await record(TUESDAY, tuesday);
    expect((await check()).reasons).toEqual(['clusters: expected at most 0, got 0.005; europe differs in 1 of 200']);
  });
});

describe('a check', () => {
  test('of the live release compares with the one before it', async () => {
    const { check } = await startTuesday(monday, tuesday);
    const live = { current: TUESDAY, previous: MONDAY };
    expect(await check({ manifest: manifestWith(live) })).toMatchObject({
      verdict: 'passed',
      live: nameRelease(releaseOf(MONDAY)),
    });
    const alone = { ...live, lineage: [TUESDAY] };
    const table = await check({ manifest: manifestWith(alone) });
    expect(table).toMatchObject({ verdict: 'passed', live: undefined });
    expect(new Set(table.rows.map(({ verdict }) => verdict))).toEqual(new Set(['first']));
  });

  test('takes the summaries of both loads, and with one alone the sample of both', async () => {
    const { bigtable, check, record } = await startTuesday(monday, tuesday);
    const spread = { p50: 100, p99: 200, max: 300 };
    const summarize = (generation: number, lists: number, checksum: string) =>
      recordLoad(
        bigtable,
        releaseOf(generation),
        { state: 'loaded', lists, rejected: 0, summary: { lists, rejects: 0, items: spread, bytes: spread, checksum } },
        generation + 1,
      );
    await summarize(TUESDAY, 5_000, 'a');
    expect((await check()).rows[0]).toMatchObject({ live: USERS, new: USERS, verdict: 'pass' });
    await summarize(MONDAY, 10_000, 'b');
    expect((await check()).rows[0]).toMatchObject({ live: 10_000, new: 5_000, verdict: 'refused' });
    await summarize(MONDAY, 5_000, 'a');
    expect(refusedBy(await check())).toEqual(['unchanged']);
    await record(MONDAY, monday);
  });

  test.each([
    ['was never loaded', undefined, 'which was never loaded: load it with `npx earshot ingest`'],
    ['is still loading', 'loading', 'whose load did not finish: load it again'],
    ['was dropped', 'dropped', 'whose lists were dropped: load another generation'],
  ])('of a release that %s is an error', async (_what, state, message) => {
    const { bigtable, check } = await startGate();
    if (state !== undefined) await recordLoad(bigtable, releaseOf(TUESDAY), { state, lists: 1, rejected: 0 } as never);
    const name = nameRelease(releaseOf(TUESDAY));
    await expect(check()).rejects.toThrow(`expected a loaded release, got ${name}, ${message}`);
  });

  test('with a cluster that is down is an error and no verdict', async () => {
    const { check, server } = await startTuesday(monday, tuesday);
    server.setFault('us', { down: true });
    await expect(check()).rejects.toMatchObject({ code: 'unavailable', source: 'table' });
    expect(await check({ regions: ['asia', 'europe'] })).toMatchObject({ verdict: 'passed' });
  });

  test('uses the bounds of the surface, and notes one that no check has', async () => {
    const { check } = await startTuesday(monday, half(tuesday));
    const manifest = manifestWith({}, { users: 0.5, 'empty-lists': 0.5, lists: 1 });
    expect(await check({ manifest })).toMatchObject({
      verdict: 'passed',
      notes: ['the bound lists=1 is ignored: no check has that name'],
    });
  });

  test('accepts a named refusal with its reason', async () => {
    const { check } = await startTuesday(monday, swapUsers(tuesday));
    const table = await check({ accepted: ['overlap'], why: 'a new model' });
    expect(table).toMatchObject({ verdict: 'passed', reasons: [] });
    expect(table.rows.find(({ check: name }) => name === 'overlap')).toMatchObject({
      verdict: 'accepted',
      detail: 'a new model',
    });
  });

  test.each([
    [{ accepted: ['overlap'] }, 'expected --why with --accept'],
    [{ accepted: ['overlap'], why: ' ' }, 'expected --why with --accept'],
    [{ accepted: ['overlaps'], why: 'x' }, 'expected a check to accept: one of users, empty-lists'],
    [{ regions: [] }, 'expected at least one region'],
  ])('with %j is a usage error', async (options, message) => {
    const { check } = await startGate();
    await expect(check(options)).rejects.toThrow(message);
  });
});

describe('a check command', () => {
  test('reads the table, and its abort is a row that refuses', async () => {
    const { check } = await startTuesday(monday, tuesday);
    const command = `grep -q '"verdict":"passed"' && printf 'abort\\nnot on a holiday\\n'`;
    const table = await check({ checkCommand: command });
    expect(table).toMatchObject({ verdict: 'refused', reasons: ['check-command: it said abort: not on a holiday'] });
    const accepted = { accepted: ['check-command'], why: 'the holiday is over', checkCommand: command };
    expect(await check(accepted)).toMatchObject({ verdict: 'passed' });
  });

  test('that proceeds does not undo the refusal of a check', async () => {
    const { check } = await startTuesday(monday, swapUsers(tuesday));
    expect(refusedBy(await check({ checkCommand: 'echo proceed' }))).toEqual(['overlap']);
  });
});

test('the regions of an instance are those of its serving profiles', async () => {
  const { control } = await startGate();
  expect(await readRegions(control)).toEqual(['asia', 'europe', 'us']);
});
