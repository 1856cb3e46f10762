// `earshot release drop`: the lists are gone, take no version, and a drop that was killed is repeated.
import { beforeAll, expect, test } from 'vitest';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { readRecord, updateRecord } from '../../ops/bigtable/release-record.ts';
import { LIST_VERSIONS } from '../../ops/bigtable/schema/tables.ts';
import { toName } from '../../shared/domain/ids.ts';
import { controlOf, MONDAY, TUESDAY } from '../contracts/origin/instance.ts';
import { createCommandInstances, home, line, messageOf, readLists, releaseOf } from './support/command-instances.ts';

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
