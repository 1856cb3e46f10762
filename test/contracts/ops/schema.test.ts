// Schema changes of an instance: missing parts are created, different ones are corrected, and correct ones are left
// alone.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { Instance } from '../../../dev/bigtable/admin/instance.ts';
import { createTableAdminService } from '../../../dev/bigtable/admin/table-admin-service.ts';
import { loadProtocol } from '../../../dev/bigtable/wire/protocol.ts';
import { describeGcRule, keepNewest } from '../../../ops/bigtable/schema/gc-rule.ts';
import { applySchema } from '../../../ops/bigtable/schema/schema.ts';
import type { SchemaChange } from '../../../ops/bigtable/schema/schema-change.ts';
import { type BigtableConnection, connectBigtable } from '../../../origin/bigtable/connection.ts';
import { TABLES } from '../../../shared/domain/keys.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { collect } from '../bigtable/clients.ts';
import { CLUSTERS, MONDAY, startEmptyInstance, TIMEOUT_MS } from '../origin/instance.ts';

const options = { timeout: TIMEOUT_MS };

async function apply(
  bigtable: BigtableConnection,
  { dryRun = false, allowDestructive = false, clusters = CLUSTERS as Record<string, string>, listMaxAgeDays = 30 } = {},
) {
  const changes: SchemaChange[] = [];
  const settings = { clusters, dryRun, allowDestructive, listMaxAgeDays };
  await applySchema(bigtable, settings, (change) => changes.push(change));
  return changes;
}

const doneByThing = (changes: readonly SchemaChange[]) =>
  Object.fromEntries(changes.map(({ what, done }) => [what.replace(/^(table|app profile) ([\w-]+).*$/, '$2'), done]));

const everything = (done: SchemaChange['done']) => ({
  recommendations: done,
  items: done,
  control: done,
  heartbeats: done,
  'serve-asia': done,
  'serve-europe': done,
  'serve-us': done,
  'serve-any': done,
  'control-asia': done,
  'control-europe': done,
  'control-us': done,
  ingest: done,
  default: done,
});

/** The instance in full, as an administrator sees it. */
async function look(bigtable: BigtableConnection) {
  const { instanceName, tableName } = bigtable;
  const [tableAdmin, instanceAdmin] = await Promise.all([bigtable.tableAdmin(), bigtable.instanceAdmin()]);
  const [listed] = await tableAdmin.listTables({ parent: instanceName }, options);
  const names = listed.map(({ name }) => String(name));
  const tables = await Promise.all(names.map((name) => tableAdmin.getTable({ name, view: 'SCHEMA_VIEW' }, options)));
  const [profiles] = await instanceAdmin.listAppProfiles({ parent: instanceName }, options);
  const idOf = (name: unknown) => String(name).split('/').at(-1) ?? '';
  return {
    families: Object.fromEntries(
      tables.map(([{ name, columnFamilies }]) => [
        idOf(name),
        Object.entries(columnFamilies ?? {}).map(([id, { gcRule }]) => [id, describeGcRule(gcRule)]),
      ]),
    ),
    profiles: Object.fromEntries(profiles.map((profile) => [idOf(profile.name), profile])),
    recommendations: tableName(TABLES.recommendations),
  };
}

async function splitsOf(bigtable: BigtableConnection, table: string): Promise<string[]> {
  const stream = (await bigtable.data()).sampleRowKeys({ tableName: bigtable.tableName(table) }, options);
  const samples = await collect<{ rowKey: Buffer }>(stream);
  return samples.map(({ rowKey }) => rowKey.toString());
}

const families = {
  control: [['c', 'newest 200 versions']],
  heartbeats: [['h', 'newest 1 version, none older than 1 day']],
  items: [['m', 'newest 3 versions']],
  recommendations: [['l', 'newest 6 versions, none older than 30 days']],
};

test('an empty instance gets every table with its family and garbage collection', async () => {
  const { bigtable } = await startEmptyInstance();
  expect(doneByThing(await apply(bigtable))).toEqual({
    ...everything('created'),
    control: 'created',
    default: 'updated',
  });
  expect((await look(bigtable)).families).toEqual(families);
});

test('tables with hashed keys begin with 16 even tablets, the control table with one', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable);
  const even = Array.from({ length: 15 }, (_, i) => `${(i + 1).toString(16)}000`);
  expect(await splitsOf(bigtable, 'recommendations')).toEqual([...even, '']);
  expect(await splitsOf(bigtable, 'items')).toEqual([...even, '']);
  expect(await splitsOf(bigtable, 'control')).toEqual(['']);
});

test('each profile routes to its cluster with its priority, and only those of the manifest and the default may compare and set', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable);
  const { profiles } = await look(bigtable);
  const summary = Object.entries(profiles).map(([id, { singleClusterRouting: single, standardIsolation, ...more }]) => [
    id,
    single === null || single === undefined
      ? more.multiClusterRoutingUseAny && 'any'
      : `${single.clusterId}${single.allowTransactionalWrites ? ', transactions' : ''}`,
    standardIsolation?.priority,
  ]);
  expect(summary).toEqual([
    ['control', 'asia, transactions', 'PRIORITY_HIGH'],
    ['control-asia', 'asia, transactions', 'PRIORITY_HIGH'],
    ['control-europe', 'europe, transactions', 'PRIORITY_HIGH'],
    ['control-us', 'us, transactions', 'PRIORITY_HIGH'],
    ['default', 'asia, transactions', 'PRIORITY_LOW'],
    ['ingest', 'asia', 'PRIORITY_LOW'],
    ['serve-any', 'any', 'PRIORITY_HIGH'],
    ['serve-asia', 'asia', 'PRIORITY_HIGH'],
    ['serve-europe', 'europe', 'PRIORITY_HIGH'],
    ['serve-us', 'us', 'PRIORITY_HIGH'],
  ]);
});

test('the first named cluster receives the writes', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable, { clusters: { us: 'us', asia: 'asia' } });
  const { profiles } = await look(bigtable);
  for (const id of ['ingest', 'control', 'default']) expect(profiles[id]?.singleClusterRouting?.clusterId).toBe('us');
  expect(Object.keys(profiles)).not.toContain('serve-europe');
});

test('applying twice changes nothing', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable);
  const before = await look(bigtable);
  expect(doneByThing(await apply(bigtable))).toEqual(everything('unchanged'));
  expect(await look(bigtable)).toEqual(before);
});

test('a changed garbage collection, a missing family and a changed profile are set right, the rest left alone', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable);
  const before = await look(bigtable);
  const { instanceName, tableName } = bigtable;
  const [tableAdmin, instanceAdmin] = await Promise.all([bigtable.tableAdmin(), bigtable.instanceAdmin()]);
  const fewer = [{ id: 'l', update: { gcRule: keepNewest(1, 30) } }];
  await tableAdmin.modifyColumnFamilies({ name: tableName('recommendations'), modifications: fewer }, options);
  const none = [{ id: 'm', drop: true }];
  await tableAdmin.modifyColumnFamilies({ name: tableName('items'), modifications: none }, options);
  const moved = { name: `${instanceName}/appProfiles/ingest`, singleClusterRouting: { clusterId: 'us' } };
  await instanceAdmin.updateAppProfile(
    { appProfile: moved, updateMask: { paths: ['single_cluster_routing'] } },
    options,
  );
  const loud = {
    name: `${instanceName}/appProfiles/default`,
    standardIsolation: { priority: 'PRIORITY_HIGH' as const },
  };
  await instanceAdmin.updateAppProfile({ appProfile: loud, updateMask: { paths: ['standard_isolation'] } }, options);
  const spread = { name: `${instanceName}/appProfiles/serve-us`, multiClusterRoutingUseAny: {} };
  const routing = { paths: ['multi_cluster_routing_use_any'] };
  await instanceAdmin.updateAppProfile({ appProfile: spread, updateMask: routing, ignoreWarnings: true }, options);

  expect(doneByThing(await apply(bigtable))).toEqual({
    ...everything('unchanged'),
    recommendations: 'updated',
    items: 'updated',
    ingest: 'updated',
    default: 'updated',
    'serve-us': 'updated',
  });
  const after = await look(bigtable);
  const withoutTags = ({ profiles, ...more }: typeof after) => ({
    ...more,
    profiles: Object.values(profiles).map(({ etag, ...profile }) => profile),
  });
  expect(withoutTags(after)).toEqual(withoutTags(before));
});

test('a stricter rule of garbage collection is left without the flag, and the difference is in words', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable);
  const tableAdmin = await bigtable.tableAdmin();
  const name = bigtable.tableName(TABLES.recommendations);
  const bothRules = [{ maxNumVersions: 6 }, { maxAge: { seconds: 2_592_000 } }];
  const before: [rule: object, words: string][] = [
    [{ maxNumVersions: 3 }, 'newest 3 versions'],
    [{ maxNumVersions: 6 }, 'newest 6 versions'],
    [{ intersection: { rules: bothRules } }, '(newest 6 versions or none older than 30 days)'],
    [{}, 'every version'],
  ];
  for (const [gcRule, words] of before) {
    await tableAdmin.modifyColumnFamilies({ name, modifications: [{ id: 'l', update: { gcRule } }] }, options);
    const what = 'table recommendations, family l, newest 6 versions, none older than 30 days';
    const left = { what, done: 'left', was: words, why: expect.stringContaining('it would delete more than now') };
    expect((await apply(bigtable))[0]).toEqual(left);
    expect((await look(bigtable)).families.recommendations).toEqual([['l', words]]);
    expect((await apply(bigtable, { allowDestructive: true }))[0]).toEqual({ what, done: 'updated', was: words });
    expect((await apply(bigtable))[0]?.done).toBe('unchanged');
  }
});

test('the age of lists is the one that is asked for, and no other table has it', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable);
  const changes = await apply(bigtable, { listMaxAgeDays: 400 });
  expect(doneByThing(changes)).toEqual({ ...everything('unchanged'), recommendations: 'updated' });
  const { recommendations } = (await look(bigtable)).families;
  expect(recommendations).toEqual([['l', 'newest 6 versions, none older than 400 days']]);
});

test('families and app profiles that are not ours are left without the flag, and dropped with it', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable);
  const ours = await look(bigtable);
  const [tableAdmin, instanceAdmin] = await Promise.all([bigtable.tableAdmin(), bigtable.instanceAdmin()]);
  const modifications = [{ id: 'x', create: { gcRule: keepNewest(2) } }];
  await tableAdmin.modifyColumnFamilies({ name: bigtable.tableName('items'), modifications }, options);
  const appProfile = { singleClusterRouting: { clusterId: 'us' } };
  const request = { parent: bigtable.instanceName, appProfileId: 'analysts', appProfile };
  await instanceAdmin.createAppProfile(request, options);
  const theirs = await look(bigtable);

  const foreign = (changes: readonly SchemaChange[]) => changes.filter(({ done }) => done !== 'unchanged');
  const why = 'not ours; --allow-destructive drops it';
  const [family, profile] = ['table items, family x, newest 2 versions', 'app profile analysts, cluster us, HIGH'];
  expect(foreign(await apply(bigtable))).toEqual([
    { what: family, done: 'foreign', why },
    { what: profile, done: 'foreign', why },
  ]);
  const dropped = [
    { what: family, done: 'dropped' },
    { what: profile, done: 'dropped' },
  ];
  expect(foreign(await apply(bigtable, { dryRun: true, allowDestructive: true }))).toEqual(dropped);
  expect(await look(bigtable)).toEqual(theirs);
  expect(foreign(await apply(bigtable, { allowDestructive: true }))).toEqual(dropped);
  expect(await look(bigtable)).toEqual(ours);
});

test('lists that were stored before stay stored', async () => {
  const { bigtable } = await startEmptyInstance();
  await apply(bigtable);
  const tableName = bigtable.tableName(TABLES.recommendations);
  const setCell = {
    familyName: 'l',
    columnQualifier: Buffer.from('home/control'),
    timestampMicros: MONDAY * 1000,
    value: Buffer.from('x'),
  };
  await (await bigtable.data()).mutateRow({ tableName, rowKey: Buffer.from('k'), mutations: [{ setCell }] }, options);
  await apply(bigtable);
  expect(await collect((await bigtable.data()).readRows({ tableName }, options))).toHaveLength(1);
});

test('a dry run reports the changes and makes none', async () => {
  const { bigtable } = await startEmptyInstance();
  const before = await look(bigtable);
  expect(doneByThing(await apply(bigtable, { dryRun: true }))).toEqual({
    ...everything('created'),
    default: 'updated',
  });
  expect(await look(bigtable)).toEqual(before);
  expect(before.families).toEqual({});
});

test('an unknown cluster is a one-line error, and a second run continues from there', async () => {
  const { bigtable } = await startEmptyInstance();
  await expect(apply(bigtable, { clusters: { ...CLUSTERS, us: 'mars' } })).rejects.toMatchObject({
    code: 'internal',
    source: 'table',
    message: expect.stringMatching(/^setting up app profile serve-us failed: .*mars/),
  });
  expect(doneByThing(await apply(bigtable))).toMatchObject({ recommendations: 'unchanged', 'serve-us': 'created' });
});

test('a Bigtable without app profiles gets its tables, and each profile is skipped with the reason', async () => {
  const bigtable = await connectToTablesOnly();
  const changes = await apply(bigtable);
  expect(changes.map(({ done }) => done)).toEqual([...Array(4).fill('created'), ...Array(10).fill('skipped')]);
  expect(new Set(changes.slice(4).map(({ why }) => why))).toEqual(
    new Set(['this Bigtable has no app profiles (an emulator)']),
  );
  expect((await apply(bigtable)).map(({ done }) => done).slice(0, 4)).toEqual(Array(4).fill('unchanged'));
});

/** A server with table admin only, like Google's emulator: every app-profile call is UNIMPLEMENTED. */
async function connectToTablesOnly(): Promise<BigtableConnection> {
  const instances = new Map<string, Instance>();
  const server = new Server();
  server.addService(
    loadProtocol().tableAdmin,
    createTableAdminService((name) => {
      const found = instances.get(name) ?? new Instance(name, ['one'], { lagMs: 0, stopped: new Set() }, systemClock);
      instances.set(name, found);
      return found;
    }),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const bigtable = connectBigtable({ project: 'contract', instance: 'recs', emulatorHost: `127.0.0.1:${port}` });
  onTestFinished(async () => {
    await bigtable.close();
    server.forceShutdown();
  });
  return bigtable;
}
