// The manifest of a running local cloud: `publish` says which origins serve it, `status` shows the trouble of its row,
// and a deleted row is restored from the origins that still serve it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import { LOCAL_INSTANCE, LOCAL_PROJECT } from '../../dev/topology.ts';
import { readManifestRow } from '../../ops/bigtable/manifest-row.ts';
import { type BigtableConnection, connectBigtable } from '../../origin/bigtable/connection.ts';
import { MANIFEST_ROW_KEY, TABLES } from '../../shared/domain/keys.ts';
import { messageOf } from '../commands/support/command-instances.ts';
import { controlOf, TIMEOUT_MS, writeManifestCell } from '../contracts/origin/instance.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { eventually, eventuallySeldom } from '../support/waiting.ts';

let cloud: TestCloud;
let bigtable: BigtableConnection;

beforeAll(async () => {
  cloud = await startTestCloud();
  const emulatorHost = `127.0.0.1:${cloud.ports.bigtable}`;
  bigtable = connectBigtable({ project: LOCAL_PROJECT, instance: LOCAL_INSTANCE, emulatorHost });
});

afterAll(async () => {
  await bigtable.close();
  await cloud.stop();
});

const live = async () => (await readManifestRow(controlOf(bigtable), 1))[0];

async function readHome(): Promise<{ status: number; variant: string }> {
  const headers = { authorization: `Bearer ${await cloud.mintToken('listener:1')}` };
  const response = await fetch(`${cloud.edgeUrl}/v1/me/recommendations/home?limit=1`, { headers });
  const { variant } = (await response.json()) as { variant: string };
  return { status: response.status, variant };
}

test('a change is confirmed by every origin, or the one that has not confirmed it is named', async () => {
  expect(await cloud.earshot('weight', 'home', 'control=0', 'knn=1')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(
      'confirmed by the origin in asia, europe, us; the edge takes it up within about 10 s',
    ),
  });
  await eventually(async () => expect(await readHome()).toEqual({ status: 200, variant: 'knn' }));
  await cloud.earshot('fault', 'europe', '--down');
  const { stdout } = await cloud.earshot('weight', 'home', 'control=1', 'knn=0');
  expect(stdout).toMatch(/confirmed by the origin in asia, us; not confirmed by europe \(.*ECONNREFUSED.*\)/);
  await cloud.earshot('fault', '--heal');
});

test.each<[what: string, trouble: RegExp, harm: () => Promise<void>]>([
  ['broken', /the stored manifest is broken/, () => writeManifestCell(bigtable, '{"version":', Date.now())],
  [
    'set back',
    /the manifest was set back from version \d+ to version 1/,
    async () => {
      const json = (await live())?.json.toString() ?? '';
      await writeManifestCell(bigtable, json.replace(/"version":\d+/, '"version":1'), Date.now());
    },
  ],
  [
    'deleted',
    /the manifest row was deleted, and the origin in asia, europe, us keeps version \d+/,
    async () => {
      const row = {
        tableName: bigtable.tableName(TABLES.control),
        appProfileId: 'control',
        rowKey: Buffer.from(MANIFEST_ROW_KEY),
      };
      await (await bigtable.data()).mutateRow({ ...row, mutations: [{ deleteFromRow: {} }] }, { timeout: TIMEOUT_MS });
    },
  ],
])('a row that is %s is shown by status, serves on, and is restored', async (_what, trouble, harm) => {
  const version = (await live())?.manifest?.version ?? 0;
  await harm();
  await eventuallySeldom(async () =>
    expect((await cloud.earshot('status')).stdout).toMatch(
      /^manifest trouble at the origin in asia, europe, us: look at `npx earshot manifest show`\n/,
    ),
  );
  expect((await cloud.earshot('status')).stdout).toMatch(
    new RegExp(`^asia +ok +${version}, row refused \\d+ times`, 'm'),
  );
  expect(messageOf(await cloud.earshot('manifest', 'show'))).toEqual({
    code: 1,
    message: expect.stringMatching(trouble),
  });
  expect(await readHome()).toMatchObject({ status: 200 });
  const restored = await cloud.earshot('manifest', 'restore', String(version), '--why', 'a rehearsal');
  expect(restored, restored.stderr).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(
      `version ${version} is live again as version ${version + 1}\nconfirmed by the origin in asia, europe, us`,
    ),
  });
  expect((await cloud.earshot('status')).stdout).toMatch(/^region /);
});
