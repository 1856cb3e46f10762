// `earshot release drop`: the lists are gone, take no version, and a drop that was killed is repeated.
import { beforeAll, expect, test } from 'vitest';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { readRecord, updateRecord } from '../../ops/bigtable/release-record.ts';
import { LIST_VERSIONS } from '../../ops/bigtable/schema/tables.ts';
import { toName } from '../../shared/domain/ids.ts';
import { controlOf, MONDAY, TUESDAY } from '../contracts/origin/instance.ts';
import {
  ACCEPT_ALL,
  createCommandInstances,
  home,
  line,
  messageOf,
  readLists,
  releaseOf,
} from './support/command-instances.ts';

const { makeLiveInstance, startServer } = createCommandInstances({ inProcess: true });
const WHY = ['--why', 'a bad day'];
let server: EmbeddedBigtable;

beforeAll(async () => {
  server = await startServer();
});

async function start() {
  const instance = await makeLiveInstance(server);
  const { earshot, file } = instance;
  const path = file('lists.ndjson', `${line('u:1')}\n`);
  const load = (generation: number) => earshot('ingest', path, ...home(), '--generation', String(generation));
  return { ...instance, load };
}

test('dropped releases take no version: any number of them can follow each other', async () => {
  const { address, earshot, load } = await start();
  for (let i = 0; i < LIST_VERSIONS + 2; i++) {
    const generation = TUESDAY + i * 1_000;
    expect(await load(generation)).toMatchObject({ code: 0 });
    expect(await earshot('release', 'drop', releaseOf(generation), ...WHY)).toMatchObject({
      ...{ code: 0, stdout: expect.stringContaining('is dropped: 1 list deleted') },
    });
    expect(await readLists(address, generation, ['u:1'])).toEqual(['absent']);
  }
});

test('a drop that was killed still takes a version, and is repeated', async () => {
  const { bigtable, earshot, load } = await start();
  const control = controlOf(bigtable);
  for (let i = 0; i < LIST_VERSIONS - 1; i++) {
    expect(await load(TUESDAY + i * 1_000)).toMatchObject({ code: 0 });
    const release = { surface: toName('home'), variant: toName('control'), generation: TUESDAY + i * 1_000 };
    await updateRecord(control, release, (record) => ({ ...record, state: 'dropped' }) as NonNullable<typeof record>);
  }
  const next = TUESDAY + LIST_VERSIONS * 1_000;
  expect(messageOf(await load(next)).message).toContain(`would push out ${new Date(MONDAY).toISOString()}`);
  expect(await earshot('release', 'drop', releaseOf(TUESDAY), ...WHY)).toMatchObject({ code: 0 });
  const release = { surface: toName('home'), variant: toName('control'), generation: TUESDAY };
  expect((await readRecord(control, release))?.record).toMatchObject({ state: 'dropped', isEmpty: true });
  expect(await load(next)).toMatchObject({ code: 0 });
});

test('a live release of the items that is blocked is left, and the one before is live', async () => {
  const { earshot, file, live } = await start();
  const path = file('items.ndjson', '{"id":"artist:1","metadata":{"title":"x"}}\n');
  for (const generation of [MONDAY, TUESDAY]) {
    const moment = String(generation);
    expect(await earshot('ingest', '--items', path, '--generation', moment)).toMatchObject({ code: 0 });
    const published = await earshot('publish', `items@${moment}`, '--accept', 'missing-items', '--why', 'a test');
    expect(published, published.stderr).toMatchObject({ code: 0 });
  }
  expect((await live()).manifest.items).toMatchObject({ current: TUESDAY });
  const checked = await earshot('check', `items@${MONDAY}`);
  expect(checked.stdout).toContain('missing-items');
  expect(await earshot('release', 'block', `items@${TUESDAY}`, ...WHY)).toMatchObject({ code: 0 });
  expect((await live()).manifest.items).toEqual({ current: MONDAY, lineage: [MONDAY] });
  expect((await earshot('releases', 'items')).stdout).toMatch(/blocked/);
});

test('no command goes back to a release whose lists are gone', async () => {
  const { earshot, load, live } = await start();
  for (let i = 0; i < LIST_VERSIONS; i++) {
    expect(await load(TUESDAY + i * 1_000)).toMatchObject({ code: 0 });
    const published = await earshot('publish', releaseOf(TUESDAY + i * 1_000), ...ACCEPT_ALL);
    expect(published, published.stderr).toMatchObject({ code: 0 });
  }
  const before = await live();
  const back = ['rollback', 'home/control', '--to', new Date(MONDAY).toISOString(), ...WHY];
  expect(messageOf(await earshot(...back))).toEqual({
    ...{ code: 1, message: expect.stringContaining('is no longer kept: no user would have a list of it') },
  });
  expect(await live()).toEqual(before);
  expect(await earshot(...back, '--force')).toMatchObject({ code: 0 });
});

test('a first release cannot begin later: it is live for every user at once', async () => {
  const { earshot, file } = await start();
  const path = file('radio.ndjson', `${line('u:1')}\n`);
  await earshot('ingest', path, '--surface', 'radio', '--variant', 'control', '--generation', String(MONDAY));
  const late = await earshot(
    'publish',
    `radio/control@${MONDAY}`,
    '--at',
    new Date(Date.now() + 86_400_000).toISOString(),
  );
  expect(messageOf(late)).toEqual({ code: 1, message: expect.stringContaining('--at, --canary') });
});
