// The control port of the embedded Bigtable: state that another process can read and change.
import { expect, test } from 'vitest';
import { startEmbedded } from './embedded.ts';

type Answer = { replicationLagMs?: number; clusters?: object[]; error?: string };

async function startControlled() {
  const embedded = await startEmbedded({ controlPort: 0, replicationLagMs: 60_000 });
  const call = async (method: string, path: string, body?: string) => {
    const init = body === undefined ? { method } : { method, body, headers: { 'Content-Type': 'application/json' } };
    const response = await fetch(`http://127.0.0.1:${embedded.bigtable.controlPort}${path}`, init);
    return { status: response.status, body: (await response.json()) as Answer };
  };
  return { ...embedded, call };
}

test('the clusters are shown with their faults, replication and counters', async () => {
  const { call, write } = await startControlled();
  await write('europe', 'k', 'v');
  const { status, body } = await call('GET', '/clusters');
  expect(status).toBe(200);
  expect(body.replicationLagMs).toBe(60_000);
  expect(body.clusters).toMatchObject([
    { name: 'asia', fault: {}, isReplicationStopped: false, pendingWrites: 1 },
    { name: 'europe', pendingWrites: 0, counters: { calls: { MutateRow: 1 }, rowsWritten: 1 } },
    { name: 'us', pendingWrites: 1 },
  ]);
});

test('a fault is set and healed', async () => {
  const { bigtable, call } = await startControlled();
  await call('PUT', '/clusters/us/fault', '{"latencyMs":300,"errorShare":0.1}');
  expect(bigtable.clusters()[2]?.fault).toEqual({ latencyMs: 300, errorShare: 0.1 });
  await call('PUT', '/clusters/us/fault', '{}');
  expect(bigtable.clusters()[2]?.fault).toEqual({});
});

test('replication is slowed, cut off and resumed', async () => {
  const { bigtable, call } = await startControlled();
  await call('PUT', '/replication', '{"lagMs":5,"stopped":["us"]}');
  expect(bigtable.replicationLagMs()).toBe(5);
  expect(bigtable.clusters().map((cluster) => cluster.isReplicationStopped)).toEqual([false, false, true]);
  await call('PUT', '/replication', '{"lagMs":10}');
  expect(bigtable.clusters()[2]?.isReplicationStopped).toBe(true);
  await call('PUT', '/replication', '{"stopped":[]}');
  expect(bigtable.clusters()[2]?.isReplicationStopped).toBe(false);
  expect(bigtable.replicationLagMs()).toBe(10);
});

test.each([
  ['PUT', '/clusters/us/fault', '{"latencyMs":-1}', 400],
  ['PUT', '/clusters/us/fault', '{"slow":true}', 400],
  ['PUT', '/clusters/us/fault', 'not json', 400],
  ['PUT', '/clusters/mars/fault', '{}', 404],
  ['PUT', '/replication', '{"lagMs":"fast"}', 400],
  ['PUT', '/replication', '{"lagMs":5,"stopped":["mars"]}', 404],
])('%s %s with %s is answered %i and changes nothing', async (method, path, body, status) => {
  const { bigtable, call } = await startControlled();
  const answer = await call(method, path, body);
  expect(answer).toEqual({ status, body: { error: expect.any(String) } });
  expect(bigtable.replicationLagMs()).toBe(60_000);
  expect(bigtable.clusters().map(({ fault }) => fault)).toEqual([{}, {}, {}]);
});
