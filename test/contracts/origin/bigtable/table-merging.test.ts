// Reads that are merged into few calls: keys of one turn leave together, keys that arrive during calls wait until one
// returns, and no key waits for a timer or for another read's failure. The cluster's latency has a manual clock of its
// own. The file is long, because one set-up of keys and batches serves all of it.

import { expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../../../bench/support/manual-clock.ts';
import { NO_OBSERVER } from '../../../../origin/bigtable/reads/call-observer.ts';
import type { RecommendationTableOptions } from '../../../../origin/bigtable/recommendation-table.ts';
import { createListReader } from '../../../../origin/lists/coalescing-reader.ts';
import { createListMemory } from '../../../../origin/lists/list-memory.ts';
import { createTableLoad } from '../../../../origin/lists/load-lists.ts';
import { createCohortCounter } from '../../../../origin/metrics/cohorts.ts';
import { type RequestTrace, runInTrace } from '../../../../origin/tracing/request-trace.ts';
import { toName } from '../../../../shared/domain/ids.ts';
import type { ListKey } from '../../../../shared/domain/keys.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';
import { eventually } from '../../../support/waiting.ts';
import { manifestOf, TIMEOUT_MS, TUESDAY } from '../instance.ts';
import { listKey, readCalls, startTable, textOf, users } from './running-table.ts';

const LATENCY_MS = 100;

/** A table with a manual clock. Its cluster answers after `serverClock` has advanced by LATENCY_MS. */
async function startSlowTable(options: Partial<RecommendationTableOptions> = {}) {
  const [clock, serverClock] = [createManualClock(), createManualClock()];
  const started = await startTable({ clock: serverClock }, { clock, ...options });
  const { server, table } = started;
  const slowDown = () => server.setFault('asia', { latencyMs: LATENCY_MS });
  const arrived = (calls: number) => eventually(() => expect(readCalls(server)).toBe(calls));
  /** Reads in separate turns of the event loop, so that each could be a call of its own. */
  const readEach = async (keys: readonly ListKey[]) => {
    const reads: ReturnType<typeof table.readLists>[] = [];
    for (const key of keys) {
      reads.push(table.readLists([key], TIMEOUT_MS));
      await new Promise(setImmediate);
    }
    return reads;
  };
  return { ...started, clock, serverClock, slowDown, arrived, readEach };
}

const keysOf = (names: readonly string[], change: Partial<ListKey> = {}) => names.map((user) => listKey(user, change));

/** Lets the cluster answer all pending calls. */
const answer = (serverClock: ManualClock) => serverClock.advance(LATENCY_MS);

test('a call has the trace of each request whose rows it reads, once', async () => {
  const traces: (readonly RequestTrace[])[] = [];
  const { table } = await startSlowTable({
    observerOf: () => ({
      ...NO_OBSERVER,
      onCall: (call) => {
        traces.push(call.traces);
        return () => {};
      },
    }),
  });
  const [first, second] = [makeTrace(), makeTrace()];
  const read = (...names: string[]) => table.readLists(keysOf(names), TIMEOUT_MS);
  await Promise.all([
    runInTrace(first, () => read('u:1', 'u:2')),
    runInTrace(second, () => read('u:2', 'u:3')),
    read('u:4'),
  ]);
  expect(traces).toEqual([[first, second]]);
});

const makeTrace = (): RequestTrace => ({ describe: () => {}, start: makeTrace, end: () => {} });

test('reads that come in one turn leave as one call', async () => {
  const { seen, server, table } = await startSlowTable();
  const results = await Promise.all(users(30).map((user) => table.readLists([listKey(user)], TIMEOUT_MS)));
  expect(results.flat()).toEqual(Array(30).fill({ kind: 'absent' }));
  expect(seen.calls).toEqual([30]);
  expect(server.counters('asia')).toMatchObject({ calls: { ReadRows: 1 }, keysAsked: 30 });
});

test.each([
  { keys: 31, calls: [31] },
  { keys: 32, calls: [16, 16] },
  { keys: 47, calls: [24, 23] },
  { keys: 200, calls: [100, 100] },
  { keys: 201, calls: [100, 100, 1] },
])(
  '$keys reads that come in one turn are shared by the places for calls of their lane: $calls',
  async ({ keys, calls }) => {
    const { seen, table } = await startSlowTable({ callsPerBatchKey: 2 });
    await table.readLists(keysOf(users(keys)), TIMEOUT_MS);
    expect(seen.calls).toEqual(calls);
  },
);

test('a read that comes when nothing is out leaves at the end of its turn, without a timer', async () => {
  const { clock, read, seen } = await startSlowTable({ callsPerBatchKey: 1 });
  const startedAtMs = clock.now();
  const reading = read(listKey('u:1'));
  expect(seen.calls).toEqual([]);
  await new Promise(setImmediate);
  expect(seen.calls).toEqual([1]);
  await reading;
  expect(clock.now()).toBe(startedAtMs);
});

test('reads that come while all calls of their lane are out wait, and leave together when one returns', async () => {
  const { arrived, readEach, seen, serverClock, slowDown, table } = await startSlowTable({ callsPerBatchKey: 2 });
  slowDown();
  const first = await readEach(keysOf(['u:1']));
  await arrived(1);
  serverClock.advance(LATENCY_MS / 2);
  const second = await readEach(keysOf(['u:2']));
  await arrived(2);
  const later = await readEach(keysOf(['u:3', 'u:4', 'u:5']));
  expect([seen.calls, table.waiting()]).toEqual([[1, 1], 3]);
  serverClock.advance(LATENCY_MS / 2);
  await Promise.all(first);
  await arrived(3);
  expect([seen.calls, table.waiting()]).toEqual([[1, 1, 3], 0]);
  answer(serverClock);
  expect((await Promise.all([...second, ...later])).flat()).toEqual(Array(4).fill({ kind: 'absent' }));
  expect(seen.calls).toEqual([1, 1, 3]);
});

test('rows that wait leave without waiting for a call to return as soon as there are 16 of them', async () => {
  const { arrived, readEach, seen, slowDown, table } = await startSlowTable({ callsPerBatchKey: 1 });
  slowDown();
  void (await readEach(keysOf(['u:first'])));
  await arrived(1);
  void (await readEach(keysOf(users(15))));
  expect([seen.calls, table.waiting()]).toEqual([[1], 15]);
  void (await readEach(keysOf(['u:16th', 'u:17th'])));
  expect([seen.calls, table.waiting()]).toEqual([[1, 16], 1]);
});

test('with 8 calls out rows wait however many they are, and leave 100 at a time at most, the oldest first', async () => {
  const { arrived, seen, serverClock, slowDown, table } = await startSlowTable({ callsPerBatchKey: 1 });
  slowDown();
  const [first = '', ...names] = users(16 * 8 + 120);
  const read = async (some: readonly string[]) => {
    const reading = table.readLists(keysOf(some), TIMEOUT_MS);
    await new Promise(setImmediate);
    return { reading };
  };
  const alone = await read([first]);
  await arrived(1);
  serverClock.advance(LATENCY_MS / 2);
  for (let call = 0; call < 7; call++) await read(names.splice(0, 16));
  const early = await read(names.splice(0, 100));
  const late = await read(names.splice(0, 20));
  await arrived(8);
  expect([seen.calls, table.waiting()]).toEqual([[1, ...Array(7).fill(16)], 120]);
  serverClock.advance(LATENCY_MS / 2);
  await alone.reading;
  await arrived(9);
  expect([seen.calls.slice(8), table.waiting()]).toEqual([[100], 20]);
  serverClock.advance(LATENCY_MS / 2);
  await arrived(10);
  expect([seen.calls.slice(8), table.waiting()]).toEqual([[100, 20], 0]);
  answer(serverClock);
  expect([await early.reading, await late.reading].flat()).toEqual(Array(120).fill({ kind: 'absent' }));
});

test.each<[what: string, change: Partial<ListKey>]>([
  ['generations', { generation: TUESDAY }],
  ['surfaces', { surface: toName('rediscover') }],
  ['variants', { variant: toName('knn') }],
])('different %s use different calls, and do not wait for each other', async (_what, change) => {
  const { arrived, readEach, seen, slowDown, write, read, server } = await startSlowTable({ callsPerBatchKey: 1 });
  const [mine, other] = [listKey('u:1'), listKey('u:1', change)];
  await write(mine, 'mine');
  await write(other, 'other');
  expect((await read(mine, other)).map(textOf)).toEqual(['mine', 'other']);
  expect(seen.calls).toEqual([1, 1]);
  server.resetCounters();
  slowDown();
  void readEach([mine]);
  await arrived(1);
  void readEach([other]);
  await arrived(2);
});

test('a call that takes unusually long gives up its place to those that wait', async () => {
  const { arrived, clock, readEach, seen, server, slowDown, table } = await startSlowTable({ callsPerBatchKey: 1 });
  slowDown();
  void (await readEach(keysOf(['u:stuck'])));
  await arrived(1);
  server.setFault('asia', {});
  const others = await readEach(keysOf(['u:2', 'u:3']));
  // Without measurements, a call is slow after 50 ms.
  clock.advance(49);
  await new Promise(setImmediate);
  expect([seen.calls, table.waiting()]).toEqual([[1], 2]);
  clock.advance(1);
  expect((await Promise.all(others)).flat()).toEqual(Array(2).fill({ kind: 'absent' }));
  expect(seen.calls).toEqual([1, 2]);
});

test('a call that gave up its place does not give it up again when it ends', async () => {
  const { arrived, clock, readEach, seen, server, serverClock, slowDown, table } = await startSlowTable({
    callsPerBatchKey: 1,
  });
  slowDown();
  const [stuck] = await readEach(keysOf(['u:stuck']));
  await arrived(1);
  clock.advance(50);
  serverClock.advance(LATENCY_MS / 2);
  const [second] = await readEach(keysOf(['u:2']));
  await arrived(2);
  serverClock.advance(LATENCY_MS / 2);
  await stuck;
  server.setFault('asia', {});
  void (await readEach(keysOf(['u:3'])));
  expect([seen.calls, table.waiting()]).toEqual([[1, 1], 1]);
  serverClock.advance(LATENCY_MS);
  await second;
  await arrived(3);
});

test('a row that two requests ask for in one turn is asked for once, and both have it', async () => {
  const { seen, server, table, write } = await startSlowTable();
  await write(listKey('u:1'), 'mine');
  server.resetCounters();
  const both = await Promise.all([
    table.readLists(keysOf(['u:1', 'u:2']), TIMEOUT_MS),
    table.readLists(keysOf(['u:3', 'u:1']), TIMEOUT_MS),
  ]);
  expect(both.map((results) => results.map(textOf))).toEqual([
    ['mine', 'absent'],
    ['absent', 'mine'],
  ]);
  expect(seen.calls).toEqual([3]);
  expect(server.counters('asia')).toMatchObject({ keysAsked: 3, rowsRead: 1 });
});

test('a request whose time is up leaves, and the call goes on for the others', async () => {
  const { arrived, clock, seen, serverClock, slowDown, table } = await startSlowTable();
  slowDown();
  const hasty = table.readLists(keysOf(['u:1', 'u:2']), 200);
  const patient = table.readLists(keysOf(['u:2', 'u:3']), TIMEOUT_MS);
  await arrived(1);
  clock.advance(200);
  expect(await hasty).toEqual(Array(2).fill({ kind: 'error', code: 'deadline_exceeded' }));
  expect(serverClock.pending()).toBe(1);
  answer(serverClock);
  expect(await patient).toEqual(Array(2).fill({ kind: 'absent' }));
  expect(seen.calls).toEqual([3]);
});

test('a call that all have left is cancelled at the cluster, not before the last has left', async () => {
  const { arrived, clock, seen, server, serverClock, slowDown, table } = await startSlowTable();
  slowDown();
  // Longer than the test, because gRPC's own deadline runs on the system's clock and must not end the call.
  const left = [table.readLists(keysOf(['u:1']), 20_000), table.readLists(keysOf(['u:1', 'u:2']), 30_000)];
  await arrived(1);
  await eventually(() => expect(serverClock.pending()).toBe(1));
  clock.advance(20_000);
  await left[0];
  await new Promise(setImmediate);
  expect(serverClock.pending()).toBe(1);
  clock.advance(10_000);
  await left[1];
  await eventually(() => expect(serverClock.pending()).toBe(0));
  expect([seen.calls, server.counters('asia').keysAsked]).toEqual([[2], 0]);
});

test('a row that all have left before its call is not asked for', async () => {
  const { arrived, clock, readEach, seen, serverClock, slowDown, table } = await startSlowTable({
    callsPerBatchKey: 1,
  });
  slowDown();
  const [first] = await readEach(keysOf(['u:1']));
  await arrived(1);
  const left = table.readLists(keysOf(['u:2']), 10);
  await new Promise(setImmediate);
  clock.advance(10);
  expect(await left).toEqual([{ kind: 'error', code: 'deadline_exceeded' }]);
  expect(table.waiting()).toBe(0);
  answer(serverClock);
  await first;
  await new Promise(setImmediate);
  expect(seen.calls).toEqual([1]);
});

test('a table that is closed fails what is out and what waits, ends its calls, and leaves no timer', async () => {
  const { arrived, clock, readEach, serverClock, slowDown, table } = await startSlowTable({ callsPerBatchKey: 1 });
  slowDown();
  const reads = [...(await readEach(keysOf(['u:1']))), ...(await readEach(keysOf(['u:2'])))];
  await arrived(1);
  await eventually(() => expect(serverClock.pending()).toBe(1));
  await table.close();
  expect((await Promise.all(reads)).flat()).toEqual(Array(2).fill({ kind: 'error', code: 'unavailable' }));
  await eventually(() => expect(serverClock.pending()).toBe(0));
  expect([table.waiting(), clock.pending()]).toEqual([0, 0]);
});

test('a table that is closed while a call waits to be repeated repeats nothing and leaves no timer', async () => {
  const { clock, readEach, seen, server, table } = await startSlowTable();
  server.setFault('asia', { errorCode: 'UNAVAILABLE' });
  const [reading] = await readEach(keysOf(['u:1']));
  await eventually(() => expect(seen.retries).toBe(1));
  await table.close();
  expect(await reading).toEqual([{ kind: 'error', code: 'unavailable' }]);
  expect([seen.calls, clock.pending()]).toEqual([[1], 0]);
});

test.each([
  { what: 'one key', list: 'mine', kind: 'list', rowsRead: 1, rowsMissed: 0 },
  { what: 'one key that has no row', list: undefined, kind: 'absent', rowsRead: 0, rowsMissed: 1 },
])(
  '$what, cold, read 10 000 times at once is one row read at the cluster',
  async ({ list, kind, rowsRead, rowsMissed }) => {
    const { clock, server, table, write } = await startSlowTable();
    if (list !== undefined) await write(listKey('u:1'), list);
    server.resetCounters();
    const counters = createCounters();
    const reader = createListReader({
      cohorts: createCohortCounter(),
      memory: createListMemory(1_000_000),
      load: createTableLoad({ manifest: () => manifestOf(1), table, clock, counters }),
      guard: ({ timeoutMs }, work) => work(timeoutMs),
      manifest: () => manifestOf(1),
      clock,
      counters,
      flightAgeMs: TIMEOUT_MS,
    });
    const reads = await Promise.all(Array.from({ length: 10_000 }, () => reader.read([listKey('u:1')], TIMEOUT_MS)));
    expect(new Set(reads.map(([result]) => result?.kind))).toEqual(new Set([kind]));
    expect(server.counters('asia')).toMatchObject({ calls: { ReadRows: 1 }, keysAsked: 1, rowsRead, rowsMissed });
    expect(counters.get('origin_collapsed_total')).toBe(9_999);
    expect(await reader.read([listKey('u:1')], TIMEOUT_MS)).toMatchObject([{ kind }]);
    expect([readCalls(server), counters.get('origin_memory_hits_total'), reader.flights()]).toEqual([1, 1, 0]);
  },
);
