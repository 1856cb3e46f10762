// The heartbeats of real origins, as the commands read them: one origin per region, beside its own cluster.
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { liveHeartbeats, readHeartbeats, waitForHeartbeats } from '../../../ops/bigtable/heartbeats.ts';
import { HEARTBEAT_MS } from '../../../origin/heartbeat/heartbeat-loop.ts';
import { startOrigin } from '../../../origin/server.ts';
import { toName } from '../../../shared/domain/ids.ts';
import { FAMILIES, JSON_QUALIFIER, TABLES } from '../../../shared/domain/keys.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { mintOriginToken } from '../../../shared/wire/origin-token.ts';
import { LISTS_READ_PATH } from '../../../shared/wire/read-request.ts';
import { eventually } from '../../support/waiting.ts';
import {
  controlOf,
  MONDAY,
  manifestOf,
  publishManifest,
  REGIONS,
  startInstance,
  type TestInstance,
  TIMEOUT_MS,
  TUESDAY,
  writeCell,
  writeList,
} from '../origin/instance.ts';
import { IDLE_LOOP, originConfig, runOrigin, SECRET } from '../origin/running-origin.ts';

/** Origins with the real clock. They poll the manifest every 20 ms. */
async function startOrigins({ address }: TestInstance, regions: readonly string[] = REGIONS) {
  const start = async (region: string) => {
    const config = { ...originConfig(address), region, appProfile: `serve-${region}`, drainDelayMs: 0 };
    const polling = { ...config, manifestPollMs: 20, drainTimeoutMs: 1000 };
    const surroundings = { clock: systemClock, logger: pino({ level: 'silent' }), loopLoad: () => IDLE_LOOP };
    const origin = await startOrigin(polling, surroundings);
    let draining: Promise<void> | undefined;
    const drain = () => (draining ??= origin.drain());
    onTestFinished(drain);
    return { region, url: origin.url, drain };
  };
  return Promise.all(regions.map(start));
}

const liveOf = async ({ bigtable }: TestInstance) =>
  liveHeartbeats(await readHeartbeats(controlOf(bigtable)), Date.now());

const withCanary = (version: number): Manifest => {
  const manifest = manifestOf(version);
  const [variant] = manifest.surfaces.home?.variants ?? [];
  const canary = { generation: TUESDAY, share: 0.1, untilMs: Date.now() + 600_000 };
  return {
    ...manifest,
    surfaces: { home: { ...manifest.surfaces.home, variants: [{ ...variant, canary }] } },
  } as Manifest;
};

describe('the heartbeats of three regions', () => {
  test('each process has one, through its own cluster, with its manifest', async () => {
    const instance = await startInstance();
    await publishManifest(instance.bigtable, manifestOf(1), Date.now());
    await startOrigins(instance);
    await eventually(async () => expect(await liveOf(instance)).toHaveLength(3));
    const live = await liveOf(instance);
    expect(live.map(({ region, manifestVersion, build }) => [region, manifestVersion, build])).toEqual(
      REGIONS.map((region) => [region, 1, '0.1.0']),
    );
    expect(new Set(live.map((each) => each.process)).size).toBe(3);
    for (const region of REGIONS) expect(instance.server.counters(region).calls.MutateRow).toBeGreaterThan(0);
  });

  test('a wait ends when the last process serves the version, and names the regions', async () => {
    const instance = await startInstance();
    await publishManifest(instance.bigtable, manifestOf(1), Date.now());
    await startOrigins(instance);
    await eventually(async () => expect(await liveOf(instance)).toHaveLength(3));
    await publishManifest(instance.bigtable, manifestOf(2), Date.now());
    const seen = await waitForHeartbeats(controlOf(instance.bigtable), 2, { clock: systemClock, waitMs: TIMEOUT_MS });
    expect(seen.confirmed.map(({ region, manifestVersion }) => [region, manifestVersion])).toEqual(
      REGIONS.map((region) => [region, 2]),
    );
    expect([seen.missing, seen.regions]).toEqual([[], [...REGIONS]]);
  });

  test('a new version is in the heartbeat before the next one is due', async () => {
    const instance = await startInstance();
    await publishManifest(instance.bigtable, manifestOf(1), Date.now());
    const { origin, poll } = await runOrigin(instance);
    await eventually(() => expect(origin.counters.get('origin_heartbeats_total')).toBe(1));
    await publishManifest(instance.bigtable, manifestOf(2), Date.now());
    await poll();
    await eventually(async () => expect(await liveOf(instance)).toMatchObject([{ manifestVersion: 2 }]));
    expect(origin.counters.get('origin_heartbeats_total')).toBe(2);
  });

  test('a process that cannot see the version is missing, unless its region is excepted', async () => {
    const instance = await startInstance();
    const control = controlOf(instance.bigtable);
    await publishManifest(instance.bigtable, manifestOf(1), Date.now());
    await startOrigins(instance);
    await eventually(async () => expect(await liveOf(instance)).toHaveLength(3));
    const wait = (exceptRegions: string[]) =>
      waitForHeartbeats(control, 9, { clock: systemClock, waitMs: 0, exceptRegions });
    const { confirmed, missing } = await wait([]);
    expect([confirmed, missing.map(({ region }) => region)]).toEqual([[], [...REGIONS]]);
    expect((await wait(['europe', 'us'])).missing.map(({ region }) => region)).toEqual(['asia']);
    expect(await wait([...REGIONS])).toEqual({ confirmed: [], missing: [], regions: [] });
  });

  test('a drained process is not live any more, and its row stays', async () => {
    const instance = await startInstance();
    const [asia] = await startOrigins(instance, ['asia', 'us']);
    await eventually(async () => expect(await liveOf(instance)).toHaveLength(2));
    await asia?.drain();
    expect((await liveOf(instance)).map(({ region }) => region)).toEqual(['us']);
    const all = await readHeartbeats(controlOf(instance.bigtable));
    expect(all.map(({ region, isDraining }) => [region, isDraining])).toEqual([
      ['asia', true],
      ['us', false],
    ]);
  });
});

test('a heartbeat carries the sums of the cohorts that its process has served', async () => {
  const instance = await startInstance();
  const { bigtable } = instance;
  const key = { surface: toName('home'), variant: toName('control') };
  await writeList(bigtable, { ...key, generation: TUESDAY, user: 'u:1' as never }, '{"id":"t:1","score":1}');
  await publishManifest(bigtable, withCanary(1), Date.now());
  const [asia] = await startOrigins(instance, ['asia']);
  const token = await mintOriginToken(SECRET, { subject: 'edge', region: 'asia', nowMs: Date.now() });
  const keys = [
    { ...key, generation: TUESDAY, user: 'u:1' },
    { ...key, generation: TUESDAY, user: 'u:2' },
    { ...key, generation: MONDAY, user: 'u:1', coldFor: TUESDAY },
  ];
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const url = `${asia?.url}${LISTS_READ_PATH}`;
  expect((await fetch(url, { method: 'POST', body: JSON.stringify({ keys }), headers })).status).toBe(200);
  await asia?.drain();
  const [heartbeat] = await readHeartbeats(controlOf(bigtable));
  const name = `home/control@${new Date(TUESDAY).toISOString()}`;
  expect(heartbeat?.cohorts).toEqual({
    [name]: {
      canary: expect.objectContaining({ users: 2, absent: 1, items: { count: 1, sum: 1, squares: 1 } }),
      control: expect.objectContaining({ users: 1, absent: 1, errors: 0 }),
    },
  });
  expect(heartbeat?.cohorts[name]?.canary.latencyMs.count).toBe(2);
});

test('a process whose cluster is down writes through the other profile, and stays live', async () => {
  const instance = await startInstance();
  await publishManifest(instance.bigtable, manifestOf(1), Date.now());
  const { origin, clock, poll } = await runOrigin(instance);
  const written = () => origin.counters.get('origin_heartbeats_total');
  await eventually(() => expect(written()).toBe(1));
  instance.server.setFault('asia', { down: true });
  while (origin.counters.get('origin_ejections_total') === 0) await poll();
  const before = written();
  clock.advance(HEARTBEAT_MS);
  await eventually(() => expect(written()).toBe(before + 1));
  const others = instance.server.counters('europe').calls.MutateRow ?? instance.server.counters('us').calls.MutateRow;
  expect(others).toBeGreaterThan(0);
});

test('without the table an origin serves, counts the failure, and the reader names the remedy', async () => {
  const instance = await startInstance();
  const [tableAdmin] = [await instance.bigtable.tableAdmin()];
  await tableAdmin.deleteTable({ name: instance.bigtable.tableName(TABLES.heartbeats) }, { timeout: TIMEOUT_MS });
  await publishManifest(instance.bigtable, manifestOf(1), Date.now());
  const { origin, readLists, scrape } = await runOrigin(instance);
  await eventually(() => expect(origin.counters.get('origin_heartbeat_failures_total')).toBe(1));
  const key = { surface: 'home', variant: 'control', generation: MONDAY, user: 'u:1' };
  expect((await readLists([key])).status).toBe(200);
  expect(await (await scrape()).text()).toMatch(/^earshot_origin_heartbeat_failures_total\{region="asia"\} 1$/m);
  await expect(readHeartbeats(controlOf(instance.bigtable))).rejects.toMatchObject({
    code: 'internal',
    message: 'no table heartbeats: run `earshot schema apply`',
  });
});

test('a row that is no heartbeat is left out', async () => {
  const instance = await startInstance();
  const cell = { table: TABLES.heartbeats, family: FAMILIES.heartbeats, qualifier: JSON_QUALIFIER, atMs: Date.now() };
  await writeCell(instance.bigtable, { ...cell, rowKey: 'asia#1', value: '{"region":"asia"}' });
  await writeCell(instance.bigtable, { ...cell, rowKey: 'asia#2', value: 'no JSON' });
  await startOrigins(instance, ['us']);
  await eventually(async () => expect(await liveOf(instance)).toMatchObject([{ region: 'us' }]));
});
