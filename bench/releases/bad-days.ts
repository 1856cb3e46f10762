// A day of bad lists, of each kind, published in a local cloud with 200 000 users under load: which check or guard
// catches it, after how long, and how many users have seen it. Good days in a row show that nothing else is caught.
import { LOCAL_INSTANCE, LOCAL_PROJECT } from '../../dev/topology.ts';
import { createBulkWriter } from '../../ops/bigtable/writes/bulk-writer.ts';
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { connectBigtable } from '../../origin/bigtable/connection.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { FAMILIES, makeListQualifier, makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import { type Cohort, cohortOf } from '../../shared/domain/rollout.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { spawnNode, type TestCloud } from '../rigs/local-cloud.ts';
import { type Cleanup, withCleanup } from '../support/cleanup.ts';
import { type ListOfUser, listOn, userOf } from '../support/days-of-lists.ts';
import type { BenchResult } from '../support/result.ts';
import { type BatchReaders, startBatchReaders } from './batch-readers.ts';
import { type CloudOfDays, startCloudOfDays } from './cloud-of-days.ts';
import { recordFaultsOfPublishing } from './faults-of-publishing.ts';

const USERS = Number(process.env.EARSHOT_BENCH_USERS ?? 200_000);
const GOOD_DAYS = Number(process.env.EARSHOT_BENCH_GOOD_DAYS ?? 20);
/** 100 reads a second, nearly all of them cold: more than that waits on a machine of two cores. */
const BATCHES_PER_SECOND = 5;
const READS_PER_BATCH = 20;
const CANARY_SHARE = 0.005;
const GOOD_CANARY_SHARE = 0.1;
const BOTH: readonly Cohort[] = ['canary', 'control'];
const LINE = { surface: toName('home'), variant: toName('control') };
const users = Array.from({ length: USERS }, (_, i) => userOf(i));

interface BadDay {
  readonly fault: string;
  /** Undefined for a user without a list. Default: the list of the day. */
  readonly change?: (list: ListOfUser) => ListOfUser | undefined;
  /** Loads an earlier day instead. Default: the next day. */
  readonly isYesterday?: boolean;
  /** After the load, and before the publication. */
  readonly before?: (day: Day) => Promise<void>;
  /** After the gate has passed the release. */
  readonly afterGate?: (day: Day) => Promise<void>;
  readonly heal?: (day: Day) => Promise<void>;
}

interface Day {
  readonly cloud: TestCloud;
  readonly release: string;
  readonly generation: number;
  /** The day before, whose lists are live. */
  readonly liveDay: number;
  readonly liveGeneration: number;
}

export interface FaultFigures {
  readonly fault: string;
  /** The check or guard; undefined if nothing caught it. */
  readonly caughtBy: string | undefined;
  /** From the start of the publication until it was blocked or back. */
  readonly seconds: number;
  readonly usersShare: number;
  readonly failedReads: number;
}

const shifted = (user: string): string => userOf((Number(user.slice(2)) + 1) % USERS);

const BAD_DAYS: readonly BadDay[] = [
  { fault: 'half of the rows missing', change: (list) => (Number(list.user.slice(2)) % 2 === 0 ? list : undefined) },
  { fault: 'users swapped', change: ({ user, items }) => ({ user: shifted(user), items }) },
  {
    fault: 'lists three times as long',
    change: ({ user, items }) => ({
      user,
      items: [0, 1, 2].flatMap((part) =>
        items.map(({ id, score }) => ({ id: `${id}${part === 0 ? '' : `-${part}`}`, score: score - part })),
      ),
    }),
  },
  { fault: "yesterday's file again", isYesterday: true },
  { fault: 'one cluster truncated', before: truncateOneCluster, heal: healReplication },
  {
    fault: 'unknown items',
    change: ({ user, items }) => ({ user, items: items.map(({ id, score }) => ({ id: `new:${id}`, score })) }),
  },
  {
    fault: 'scores reversed',
    change: ({ user, items }) => ({ user, items: items.map(({ id }, i) => ({ id, score: i / 100 })) }),
  },
  { fault: 'absent for one in five', afterGate: deleteOneInFive, heal: restoreLists },
];

export const benchBadDays = async (): Promise<BenchResult> => {
  const directory = process.env.EARSHOT_BENCH_RECORD;
  if (directory !== undefined) {
    await withCleanup((cleanup) => recordFaultsOfPublishing(cleanup, directory));
    return { report: `recorded in ${directory}`, figures: {} };
  }
  const { faults, falseAlarms, goodDays } = await withCleanup(measureAll);
  const lines = faults.map(
    ({ fault, caughtBy, seconds, usersShare, failedReads }) =>
      `${fault}: caught by ${caughtBy ?? 'nothing'} after ${seconds} s, ${(100 * usersShare).toFixed(2)} % of users saw it, ${failedReads} failed reads`,
  );
  const report = [...lines, `${goodDays} good days in a row: ${falseAlarms} alarms`].join('\n');
  return { report, figures: { users: USERS, faults, goodDays, falseAlarms } };
};

async function measureAll(cleanup: Cleanup) {
  const { cloud, writeNext } = await startCloudOfDays(cleanup, users);
  const token = await cloud.mintToken('service:bench', 'recs:read:any');
  const readers = startBatchReaders({
    ...{ edgeUrl: cloud.edgeUrl, token, users, clock: systemClock },
    ...{ batchesPerSecond: BATCHES_PER_SECOND, readsPerBatch: READS_PER_BATCH },
  });
  cleanup.add(() => readers.stop());
  const state = { day: 0, generation: await liveGeneration(cloud) };
  const calendar: Calendar = { cloud, writeNext, readers, live: { ...state }, ...state };
  const faults: FaultFigures[] = [];
  for (const bad of BAD_DAYS) faults.push(await measureBadDay(calendar, bad));
  let falseAlarms = 0;
  for (let i = 0; i < GOOD_DAYS; i++) if (await publishGoodDay(calendar)) falseAlarms++;
  return { faults, falseAlarms, goodDays: GOOD_DAYS };
}

interface Calendar extends CloudOfDays {
  readonly readers: BatchReaders;
  day: number;
  generation: number;
  live: { day: number; generation: number };
}

async function measureBadDay(calendar: Calendar, bad: BadDay): Promise<FaultFigures> {
  const { cloud, readers } = calendar;
  const day = await ingestDay(calendar, bad);
  // The reads would wait for the writes that make the fault, too.
  await readers.pause();
  await bad.before?.(day);
  readers.resume();
  readers.reset();
  const startedAtMs = systemClock.monotonicNow();
  const args = ['--canary', `${CANARY_SHARE * 100}%`, '--soak', '4m', '--no-wait'];
  const publishing = spawnNode(['ops/earshot.mjs', 'publish', day.release, ...args], {
    EARSHOT_STATE_DIR: cloud.stateDirectory,
  });
  // Half of the reads are of the two cohorts, so that each has enough users within the soak.
  if (bad.afterGate !== undefined) {
    readers.focus(usersIn(BOTH, day.generation, CANARY_SHARE));
    await waitForState(cloud, day.release, 'canary');
    await bad.afterGate(day);
  }
  const code = await publishing.exited;
  const seconds = Number(((systemClock.monotonicNow() - startedAtMs) / 1000).toFixed(1));
  const { failed, usersOf, without } = readers.seen();
  readers.focus([]);
  await bad.heal?.(day);
  const dropped = await cloud.earshot('release', 'drop', day.release, '--why', 'a bad day');
  if (dropped.code !== 0) throw new Error(`expected ${day.release} to be dropped, got ${dropped.stderr}`);
  const sawIt = new Set([...(usersOf.get(day.generation) ?? []), ...(bad.afterGate === undefined ? [] : without)]);
  const caughtBy = reasonIn(code, publishing.output.stderr);
  const figures = { fault: bad.fault, caughtBy, seconds, usersShare: sawIt.size / USERS, failedReads: failed };
  process.stderr.write(`${JSON.stringify(figures)}\n`);
  return figures;
}

/** Whether it was stopped. */
async function publishGoodDay(calendar: Calendar): Promise<boolean> {
  const { cloud, readers } = calendar;
  const day = await ingestDay(calendar, {});
  readers.focus(usersIn(BOTH, day.generation, GOOD_CANARY_SHARE));
  const canary = ['--canary', `${GOOD_CANARY_SHARE * 100}%`, '--soak', '20s'];
  const { code, stderr } = await cloud.earshot('publish', day.release, ...canary);
  readers.focus([]);
  process.stderr.write(`good day ${calendar.day}: exit ${code}\n${code === 0 ? '' : stderr}`);
  if (code !== 0) return true;
  calendar.live = { day: calendar.day, generation: day.generation };
  return false;
}

async function ingestDay(calendar: Calendar, { change, isYesterday }: Partial<BadDay>): Promise<Day> {
  const { cloud, writeNext, readers, live } = calendar;
  // On a machine of two cores the reads would wait for the load, which is not measured here.
  await readers.pause();
  calendar.generation += 1_000;
  calendar.day = live.day + 1;
  const moment = formatGeneration(calendar.generation);
  const path = await writeNext(isYesterday === true ? live.day : calendar.day, change);
  const which = ['--surface', LINE.surface, '--variant', LINE.variant, '--generation', moment];
  const { code, stderr } = await cloud.earshot('ingest', path, ...which);
  if (code !== 0) throw new Error(`expected ${moment} to be loaded, got ${stderr}`);
  readers.resume();
  const of = { cloud, generation: calendar.generation, liveDay: live.day, liveGeneration: live.generation };
  return { ...of, release: `home/control@${moment}` };
}

async function liveGeneration(cloud: TestCloud): Promise<number> {
  const { stdout } = await cloud.earshot('manifest', 'show', '--json');
  const { surfaces } = JSON.parse(stdout) as { surfaces: { home: { variants: { current: number }[] } } };
  return surfaces.home.variants[0]?.current ?? 0;
}

async function waitForState(cloud: TestCloud, release: string, state: string): Promise<void> {
  for (;;) {
    const { stdout } = await cloud.earshot('release', 'show', release);
    if (stdout.includes(`: ${state}`)) return;
  }
}

/** The name of the check or of the guard in the output of `publish`. */
function reasonIn(code: number | null, stderr: string): string | undefined {
  if (code === 3)
    return `gate: ${[...stderr.matchAll(/^([a-z-]+) .* refused\b/gm)].map(([, name]) => name).join(', ')}`;
  if (code === 4) return `guard: ${/the guard found ([a-z]+)/.exec(stderr)?.[1] ?? 'unknown'}`;
  return undefined;
}

/** A cluster that lacks a fifth of the rows: deletes that have not reached the others. */
async function truncateOneCluster({ cloud, generation }: Day): Promise<void> {
  await cloud.earshot('fault', 'replication', '--stop', 'europe');
  await writeLists(
    cloud,
    generation,
    users.filter((_, i) => i % 5 === 0),
    () => undefined,
    'serve-europe',
  );
}

async function healReplication({ cloud }: Day): Promise<void> {
  await cloud.earshot('fault', 'replication', '--heal');
}

/** The users of these cohorts, while a canary has `share` of the users. */
function usersIn(cohorts: readonly Cohort[], generation: number, share: number): string[] {
  const canary = { generation, share, untilMs: Number.POSITIVE_INFINITY };
  const isIn = (cohort: Cohort | undefined): boolean => cohort !== undefined && cohorts.includes(cohort);
  return users.filter((user) => isIn(cohortOf({ canary }, user, 0)));
}

/** Every fifth user of the canary. */
const oneInFive = (generation: number): string[] =>
  usersIn(['canary'], generation, CANARY_SHARE).filter((_, i) => i % 5 === 0);

/** Every list of one in five of the canary's users is gone. */
async function deleteOneInFive({ cloud, generation, liveGeneration: live }: Day): Promise<void> {
  const gone = oneInFive(generation);
  for (const each of [generation, live]) await writeLists(cloud, each, gone, () => undefined);
}

async function restoreLists({ cloud, generation, liveDay, liveGeneration: live }: Day): Promise<void> {
  const gone = oneInFive(generation);
  await writeLists(cloud, live, gone, (user) =>
    listOn(user, liveDay)
      .items.map(({ id, score }) => `{"id":"${id}","score":${score}}`)
      .join(',\n'),
  );
}

async function writeLists(
  cloud: TestCloud,
  generation: number,
  of: readonly string[],
  valueFor: (user: string) => string | undefined,
  appProfile: string = APP_PROFILES.ingest,
): Promise<void> {
  const emulatorHost = `127.0.0.1:${cloud.ports.bigtable}`;
  const bigtable = connectBigtable({ project: LOCAL_PROJECT, instance: LOCAL_INSTANCE, emulatorHost });
  const writer = createBulkWriter(bigtable, {
    ...{ table: TABLES.recommendations, family: FAMILIES.lists, timestampMs: generation },
    ...{
      qualifier: makeListQualifier(LINE.surface, LINE.variant),
      appProfile,
      clock: systemClock,
      random: Math.random,
    },
  });
  for (const user of of) await writer.write({ rowKey: makeRowKey(toUserId(user)), value: valueFor(user) });
  await writer.flush();
  await bigtable.close();
}
