// Replication of the embedded Bigtable: late by exactly the lag, in order, and delayed without loss.
import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import { codeOf, collect, INSTANCE_NAME, noRetry } from './clients.ts';
import { type Embedded, setCell, startEmbedded, TABLE_NAME } from './embedded.ts';

const LAG_MS = 50;
const deleteRow = { deleteFromRow: {} };

async function startLagging() {
  const clock = createManualClock();
  return { clock, ...(await startEmbedded({ clock, replicationLagMs: LAG_MS })) };
}

const everywhere = async ({ values }: Embedded, key = 'k') => [
  await values('asia', key),
  await values('europe', key),
  await values('us', key),
];

test('a write is in its own cluster at once, and in the others after the lag', async () => {
  const embedded = await startLagging();
  await embedded.write('asia', 'k', 'v');
  embedded.clock.advance(LAG_MS - 1);
  expect(await everywhere(embedded)).toEqual([['v'], [], []]);
  embedded.clock.advance(1);
  expect(await everywhere(embedded)).toEqual([['v'], ['v'], ['v']]);
});

test('a write to a row that every cluster shares changes it only where it was written, until the lag has passed', async () => {
  const embedded = await startLagging();
  await embedded.write('asia', 'k', 'first', 1000);
  embedded.clock.advance(LAG_MS);
  await embedded.write('us', 'k', 'second', 2000);
  expect(await everywhere(embedded)).toEqual([['first'], ['first'], ['second', 'first']]);
  embedded.clock.advance(LAG_MS);
  expect(await everywhere(embedded)).toEqual(Array(3).fill(['second', 'first']));
});

test('without lag a write is everywhere when it is answered', async () => {
  const embedded = await startEmbedded();
  await embedded.write('us', 'k', 'v');
  expect(await everywhere(embedded)).toEqual([['v'], ['v'], ['v']]);
});

test('writes from different clusters to one row all arrive, and its newest cell is the same everywhere', async () => {
  const embedded = await startLagging();
  await embedded.write('asia', 'k', 'older', 1000);
  await embedded.write('us', 'k', 'newer', 2000);
  embedded.clock.advance(LAG_MS);
  expect(await everywhere(embedded)).toEqual(Array(3).fill(['newer', 'older']));
});

test('deletes arrive in the order of their commits: what was written after one survives it', async () => {
  const embedded = await startLagging();
  await embedded.write('asia', 'k', 'first');
  await embedded.mutate('asia', 'k', deleteRow);
  await embedded.write('asia', 'k', 'second', 2000);
  await embedded.write('asia', 'gone', 'v');
  await embedded.mutate('asia', 'gone', deleteRow);
  embedded.clock.advance(LAG_MS);
  expect(await everywhere(embedded)).toEqual(Array(3).fill(['second']));
  expect(await everywhere(embedded, 'gone')).toEqual(Array(3).fill([]));
});

test('a backlog of many rows takes one timer for each cluster that waits for it, and nothing of it is kept', async () => {
  const { bigtable, clock, clients, cells } = await startLagging();
  const entries = Array.from({ length: 5000 }, (_, index) => ({
    rowKey: Buffer.from(`k${index}`),
    mutations: [setCell('v')],
  }));
  await collect(clients.data.mutateRows({ tableName: TABLE_NAME, entries }, noRetry));
  const pending = () => bigtable.clusters().map(({ pendingWrites }) => pendingWrites);
  expect(pending()).toEqual([0, 5000, 5000]);
  expect(clock.pending()).toBe(2);
  clock.advance(LAG_MS);
  expect(pending()).toEqual([0, 0, 0]);
  expect(clock.pending()).toBe(0);
  expect(await cells('us')).toHaveLength(5000);
});

test('a cluster cut off neither receives nor sends, and catches up in order when it is resumed', async () => {
  const embedded = await startLagging();
  const { bigtable, clock, write } = embedded;
  bigtable.stopReplication('europe');
  await write('asia', 'k', 'from asia', 1000);
  await write('europe', 'k', 'from europe', 2000);
  clock.advance(60_000);
  expect(await everywhere(embedded)).toEqual([['from asia'], ['from europe'], ['from asia']]);
  bigtable.resumeReplication('europe');
  clock.advance(0);
  expect(await everywhere(embedded)).toEqual(Array(3).fill(['from europe', 'from asia']));
});

test('a changed lag applies to pending writes', async () => {
  const embedded = await startLagging();
  await embedded.write('asia', 'k', 'v');
  embedded.bigtable.setReplicationLag(1000);
  embedded.clock.advance(999);
  expect(await everywhere(embedded)).toEqual([['v'], [], []]);
  embedded.bigtable.setReplicationLag(0);
  embedded.clock.advance(0);
  expect(await everywhere(embedded)).toEqual(Array(3).fill(['v']));
});

test('a consistency token turns consistent once every cluster has what was written before it', async () => {
  const { bigtable, clients, clock, write } = await startLagging();
  const { tableAdmin } = clients;
  await write('europe', 'k', 'before');
  const [{ consistencyToken = '' }] = await tableAdmin.generateConsistencyToken({ name: TABLE_NAME }, noRetry);
  clock.advance(LAG_MS / 2);
  await write('europe', 'k', 'after', 2000);
  const isConsistent = async () =>
    (await tableAdmin.checkConsistency({ name: TABLE_NAME, consistencyToken: consistencyToken ?? '' }, noRetry))[0]
      .consistent;

  expect(await isConsistent()).toBe(false);
  bigtable.stopReplication('us');
  clock.advance(LAG_MS / 2);
  expect(await isConsistent()).toBe(false);
  bigtable.resumeReplication('us');
  clock.advance(0);
  expect(await isConsistent()).toBe(true);
  expect(bigtable.clusters().map(({ pendingWrites }) => pendingWrites)).toEqual([1, 0, 1]);
});

test('a token that was not given for the table is INVALID_ARGUMENT', async () => {
  const { clients } = await startEmbedded();
  const [{ consistencyToken = '' }] = await clients.tableAdmin.generateConsistencyToken({ name: TABLE_NAME }, noRetry);
  const [other] = await clients.tableAdmin.createTable({ parent: INSTANCE_NAME, tableId: 'other', table: {} }, noRetry);
  for (const request of [
    { name: TABLE_NAME, consistencyToken: 'made up' },
    { name: other.name ?? '', consistencyToken: consistencyToken ?? '' },
  ]) {
    expect(await codeOf(clients.tableAdmin.checkConsistency(request, noRetry))).toBe(3);
  }
});

test('dropped rows stay away: also those that were still on their way', async () => {
  const embedded = await startLagging();
  await embedded.write('asia', 'a#1', 'v');
  await embedded.write('asia', 'b#1', 'v');
  await embedded.clients.tableAdmin.dropRowRange({ name: TABLE_NAME, rowKeyPrefix: Buffer.from('a#') }, noRetry);
  await embedded.write('asia', 'a#2', 'written after the drop');
  embedded.clock.advance(LAG_MS);
  expect((await embedded.cells('us')).map(({ key }) => key)).toEqual(['a#2', 'b#1']);
});

test('a recreated family does not get pending cells of the dropped one', async () => {
  const embedded = await startLagging();
  await embedded.write('asia', 'k', 'for the old family');
  const modifications = [
    { id: 'l', drop: true },
    { id: 'l', create: {} },
  ];
  await embedded.clients.tableAdmin.modifyColumnFamilies({ name: TABLE_NAME, modifications }, noRetry);
  embedded.clock.advance(LAG_MS);
  expect(await everywhere(embedded)).toEqual([[], [], []]);
});
