// App profiles of the embedded Bigtable: managed through the instance admin API and applied to every call that names
// one.
import { expect, test } from 'vitest';
import { codeOf, INSTANCE_NAME, noRetry } from './clients.ts';
import { CLUSTERS, setCell, startEmbedded, TABLE_NAME } from './embedded.ts';

const checkAndMutate = { tableName: TABLE_NAME, rowKey: Buffer.from('k'), falseMutations: [setCell('v')] };

test('an instance has a default profile that routes to the first cluster, with transactions', async () => {
  const { clients } = await startEmbedded();
  const name = `${INSTANCE_NAME}/appProfiles/default`;
  const [profile] = await clients.instanceAdmin.getAppProfile({ name }, noRetry);
  expect(profile.singleClusterRouting).toEqual({ clusterId: 'asia', allowTransactionalWrites: true });
});

test('a profile is created, listed, changed by its mask and deleted', async () => {
  const { clients } = await startEmbedded();
  const { instanceAdmin } = clients;
  const name = `${INSTANCE_NAME}/appProfiles/ingest`;
  const appProfile = {
    description: 'bulk loads',
    singleClusterRouting: { clusterId: 'europe' },
    standardIsolation: { priority: 'PRIORITY_LOW' as const },
  };
  await instanceAdmin.createAppProfile({ parent: INSTANCE_NAME, appProfileId: 'ingest', appProfile }, noRetry);
  expect(
    await codeOf(
      instanceAdmin.createAppProfile({ parent: INSTANCE_NAME, appProfileId: 'ingest', appProfile }, noRetry),
    ),
  ).toBe(6);

  const change = { name, description: 'not asked for', multiClusterRoutingUseAny: {} };
  const request = { appProfile: change, updateMask: { paths: ['multi_cluster_routing_use_any'] } };
  const [operation] = await instanceAdmin.updateAppProfile(request, noRetry);
  const [updated] = await operation.promise();
  expect(updated.multiClusterRoutingUseAny).toEqual({ clusterIds: [] });

  const [profiles] = await instanceAdmin.listAppProfiles({ parent: INSTANCE_NAME }, noRetry);
  expect(profiles.map((profile) => profile.name?.split('/').at(-1))).toEqual([
    'asia',
    'default',
    'europe',
    'ingest',
    'us',
  ]);
  const [read] = await instanceAdmin.getAppProfile({ name }, noRetry);
  expect(read).toMatchObject({
    description: 'bulk loads',
    standardIsolation: { priority: 'PRIORITY_LOW' },
  });
  expect(read.singleClusterRouting).toBeUndefined();

  await instanceAdmin.deleteAppProfile({ name, ignoreWarnings: true }, noRetry);
  expect(await codeOf(instanceAdmin.getAppProfile({ name }, noRetry))).toBe(5);
});

test('a profile for a cluster that does not exist is INVALID_ARGUMENT', async () => {
  const { clients } = await startEmbedded();
  const request = {
    parent: INSTANCE_NAME,
    appProfileId: 'x',
    appProfile: { singleClusterRouting: { clusterId: 'mars' } },
  };
  expect(await codeOf(clients.instanceAdmin.createAppProfile(request, noRetry))).toBe(3);
});

test('a call goes to the cluster of its profile, and a call without one through the default', async () => {
  const { bigtable, write, values } = await startEmbedded({ replicationLagMs: 60_000 });
  await write('europe', 'k', 'written in europe');
  expect(await values('europe', 'k')).toEqual(['written in europe']);
  expect(await values('us', 'k')).toEqual([]);
  expect(await values('', 'k')).toEqual([]);
  expect(CLUSTERS.map((cluster) => bigtable.counters(cluster).calls)).toEqual([
    { ReadRows: 1 },
    { MutateRow: 1, ReadRows: 1 },
    { ReadRows: 1 },
  ]);
});

test('an unknown profile is NOT_FOUND, for reads, writes and pings', async () => {
  const { clients, write, values } = await startEmbedded();
  expect(await codeOf(values('nobody', 'k'))).toBe(5);
  expect(await codeOf(write('nobody', 'k', 'v'))).toBe(5);
  expect(await codeOf(clients.data.pingAndWarm({ name: INSTANCE_NAME, appProfileId: 'nobody' }, noRetry))).toBe(5);
});

test('a multi-cluster profile uses its first cluster that is up', async () => {
  const { bigtable, clients, write } = await startEmbedded();
  const appProfile = { multiClusterRoutingUseAny: { clusterIds: ['us', 'europe'] } };
  await clients.instanceAdmin.createAppProfile({ parent: INSTANCE_NAME, appProfileId: 'two', appProfile }, noRetry);
  const writesOf = () => CLUSTERS.map((cluster) => bigtable.counters(cluster).rowsWritten);

  await write('two', 'k', 'v');
  expect(writesOf()).toEqual([0, 0, 1]);
  bigtable.setFault('us', { down: true });
  await write('two', 'k', 'v');
  expect(writesOf()).toEqual([0, 1, 1]);
  bigtable.setFault('europe', { down: true });
  expect(await codeOf(write('two', 'k', 'v'))).toBe(14);
});

test('single-row transactions are refused where the profile does not allow them, and nothing is written', async () => {
  const { clients, cells } = await startEmbedded();
  const profiles = {
    many: { multiClusterRoutingUseAny: {} },
    without: { singleClusterRouting: { clusterId: 'asia' } },
  };
  for (const [appProfileId, appProfile] of Object.entries(profiles)) {
    await clients.instanceAdmin.createAppProfile({ parent: INSTANCE_NAME, appProfileId, appProfile }, noRetry);
    await expect(clients.data.checkAndMutateRow({ ...checkAndMutate, appProfileId }, noRetry)).rejects.toThrow(
      '9 FAILED_PRECONDITION: Single-row transactions are not allowed by this app profile',
    );
  }
  expect(await cells('')).toEqual([]);
  expect(
    (await clients.data.checkAndMutateRow({ ...checkAndMutate, appProfileId: 'asia' }, noRetry))[0].predicateMatched,
  ).toBe(false);
});
