// `earshot schema check`: one line a difference, exit code 1 if there is one, and no write.
import { beforeAll, expect, test } from 'vitest';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { keepNewest } from '../../ops/bigtable/schema/gc-rule.ts';
import { TIMEOUT_MS } from '../contracts/origin/instance.ts';
import { createCommandInstances, messageOf } from './support/command-instances.ts';

const { makeEmptyInstance, makeInstance, startServer } = createCommandInstances({ inProcess: true });
const CLUSTERS = ['--clusters', 'asia=asia,europe=europe,us=us'];
const options = { timeout: TIMEOUT_MS };
let server: EmbeddedBigtable;

beforeAll(async () => {
  server = await startServer();
});

type Instance = ReturnType<typeof makeEmptyInstance>;

const check = async ({ earshot }: Instance) => {
  const result = await earshot('schema', 'check', ...CLUSTERS);
  return { ...result, lines: result.stdout.split('\n').filter((each) => each !== '') };
};

const changeFamily = async ({ bigtable }: Instance, table: string, modification: object): Promise<void> => {
  const tableAdmin = await bigtable.tableAdmin();
  const request = { name: bigtable.tableName(table), modifications: [modification] };
  await tableAdmin.modifyColumnFamilies(request, options);
};

const changeProfile = async ({ bigtable }: Instance, id: string, change: object, path: string): Promise<void> => {
  const appProfile = { name: `${bigtable.instanceName}/appProfiles/${id}`, ...change };
  const request = { appProfile, updateMask: { paths: [path] }, ignoreWarnings: true };
  await (await bigtable.instanceAdmin()).updateAppProfile(request, options);
};

test('an instance after `schema apply` has no difference, and exit code 0', async () => {
  const instance = makeEmptyInstance(server);
  expect(await instance.earshot('schema', 'apply', ...CLUSTERS)).toMatchObject({ code: 0 });
  expect(await check(instance)).toMatchObject({
    ...{ code: 0, stderr: '', lines: ['no difference: 14 tables and app profiles are as they should be'] },
  });
});

test('an empty instance differs in everything, and the check creates nothing', async () => {
  const instance = makeEmptyInstance(server);
  for (let i = 0; i < 2; i++) {
    const result = await check(instance);
    expect(messageOf(result)).toEqual({
      ...{ code: 1, message: 'earshot: 14 differences: `npx earshot schema apply` sets the schema right' },
    });
    expect(result.lines).toHaveLength(14);
    expect(result.lines).toContain('expected table items, family m, newest 3 versions, got none');
    expect(result.lines).toContain('expected app profile ingest, cluster asia, LOW, got none');
  }
});

test.each([
  ['routes to any cluster', { multiClusterRoutingUseAny: {} }, 'multi_cluster_routing_use_any', 'any cluster, LOW'],
  [
    'routes to another cluster',
    { singleClusterRouting: { clusterId: 'us', allowTransactionalWrites: true } },
    'single_cluster_routing',
    'cluster us with transactions, LOW',
  ],
  [
    'has another priority than LOW',
    { standardIsolation: { priority: 'PRIORITY_HIGH' } },
    'standard_isolation',
    'cluster asia with transactions, HIGH',
  ],
])('the profile `default` that %s is a difference with its reason', async (_what, change, path, words) => {
  const instance = await makeInstance(server);
  await changeProfile(instance, 'default', change, path);
  const result = await check(instance);
  expect(messageOf(result).code).toBe(1);
  expect(result.lines).toEqual([
    `expected app profile default, cluster asia with transactions, LOW, got ${words}: Google's templates cannot name a profile: they write through this one, and would compete with reads or other clusters`,
  ]);
  expect(await instance.earshot('schema', 'apply', ...CLUSTERS)).toMatchObject({ code: 0 });
  expect((await check(instance)).code).toBe(0);
});

test('each difference is a line; a rule that `apply` leaves stays one, and parts that are not ours are notes', async () => {
  const instance = await makeInstance(server);
  await changeFamily(instance, 'recommendations', { id: 'l', update: { gcRule: keepNewest(9) } });
  await changeFamily(instance, 'items', { id: 'm', drop: true });
  await changeFamily(instance, 'items', { id: 'x', create: {} });
  await changeProfile(instance, 'ingest', { singleClusterRouting: { clusterId: 'us' } }, 'single_cluster_routing');
  const lists = 'table recommendations, family l, newest 6 versions, none older than 30 days';
  const stricter = `expected ${lists}, got newest 9 versions: it would delete more than now; --allow-destructive sets it`;
  const before = await check(instance);
  expect(before.code).toBe(1);
  expect(before.stderr).toContain(
    '3 differences: `npx earshot schema apply` sets the schema right, or says what it leaves',
  );
  expect(before.stderr).toContain('note: table items, family x, every version: not ours; --allow-destructive drops it');
  expect(before.lines).toEqual([
    stricter,
    'expected table items, family m, newest 3 versions, got no such family',
    'expected app profile ingest, cluster asia, LOW, got cluster us, LOW',
  ]);

  const applied = await instance.earshot('schema', 'apply', ...CLUSTERS);
  expect(applied).toMatchObject({ code: 0, stderr: '' });
  const steps = applied.stdout.split('\n').filter((each) => each !== '' && !each.endsWith(': unchanged'));
  expect(steps).toEqual([
    `${lists}: left, was newest 9 versions, it would delete more than now; --allow-destructive sets it`,
    'table items, family m, newest 3 versions: updated, was no such family',
    'table items, family x, every version: left, not ours; --allow-destructive drops it',
    'app profile ingest, cluster asia, LOW: updated, was cluster us, LOW',
  ]);
  expect((await check(instance)).lines).toEqual([stricter]);

  const dry = await instance.earshot('schema', 'apply', ...CLUSTERS, '--allow-destructive', '--dry-run');
  expect(dry.stdout).toContain('table items, family x, every version: would be dropped\n');
  expect((await check(instance)).lines).toEqual([stricter]);
  expect(await instance.earshot('schema', 'apply', ...CLUSTERS, '--allow-destructive')).toMatchObject({ code: 0 });
  expect(await check(instance)).toMatchObject({ code: 0, stderr: '' });
});
