// Users who are kept out while a load runs: also the lines that the load has accepted by then are gone at its end.
import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checksumOf } from '../../../../ops/bigtable/checksum.ts';
import { createBulkWriter } from '../../../../ops/bigtable/writes/bulk-writer.ts';
import { addToKeepOut, readKeepOut, watchKeepOut } from '../../../../ops/effects/keep-out.ts';
import { deleteUserRows, findRows } from '../../../../ops/effects/user-rows.ts';
import { findInputs } from '../../../../ops/ingest/inputs/find-inputs.ts';
import { loadFiles } from '../../../../ops/ingest/load-files.ts';
import { createSummary } from '../../../../ops/ingest/summary.ts';
import { APP_PROFILES } from '../../../../origin/bigtable/app-profiles.ts';
import type { BigtableConnection } from '../../../../origin/bigtable/connection.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import { FAMILIES, makeListQualifier, makeRowKey, TABLES } from '../../../../shared/domain/keys.ts';
import { systemClock } from '../../../../shared/runtime/clock.ts';
import { eventually } from '../../../support/waiting.ts';
import { controlOf, MONDAY, startInstance } from '../../origin/instance.ts';

const ABOUT = { by: 'ops', why: 'asked' };
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const LIST = '{"id":"x","score":1}';
const QUIET = {
  form: { kind: 'lists', family: FAMILIES.lists, qualifier: 'home/control', timestampMicros: MONDAY * 1_000 },
  parse: (id: string) => ({ id, cell: { rowKey: makeRowKey(toUserId(id)), value: LIST } }),
  rejects: { add: async () => undefined, count: () => 0, close: async () => undefined, path: '' },
  progress: { start: () => undefined, addBytes: () => undefined, setCounts: () => undefined, stop: () => undefined },
} as const;

const writerOf = (bigtable: BigtableConnection) =>
  createBulkWriter(bigtable, {
    ...{ table: TABLES.recommendations, family: FAMILIES.lists, timestampMs: MONDAY, appProfile: APP_PROFILES.ingest },
    ...{ qualifier: makeListQualifier(toName('home'), toName('control')), clock: systemClock, random: Math.random },
  });

test('a line that waits in a batch during the whole erasure is not stored', async () => {
  const { bigtable } = await startInstance();
  const control = controlOf(bigtable);
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  writeFileSync(first, 'ann\nbob\n');
  execFileSync('mkfifo', [second]);
  const keepOut = await watchKeepOut(control);
  const writer = writerOf(bigtable);
  const summary = createSummary();
  const loading = loadFiles({ ...{ sources: await findInputs([first, second]), writer, keepOut, summary, ...QUIET } });
  // The load opens the second file once it has accepted every line of the first.
  const pipe = createWriteStream(second);
  await new Promise((resolve) => pipe.once('open', resolve));
  const ann = toUserId('ann');
  await addToKeepOut(control, [ann], ABOUT);
  await eventually(() => expect(keepOut.has(ann)).toBe(true));
  await deleteUserRows(control, [ann]);
  pipe.end('eve\n');
  expect(await loading).toMatchObject({ written: 2, keptOut: 1 });
  keepOut.stop();
  // The summary has the lists that are stored.
  const expected = createSummary();
  for (const user of ['bob', 'eve']) expected.add(LIST, checksumOf(makeRowKey(toUserId(user)), LIST));
  expect(summary.get(0)).toEqual(expected.get(0));
  expect(await findRows(control, 'asia', ['ann', 'bob', 'eve'].map(toUserId))).toEqual(['bob', 'eve']);
});

test('a load that goes on deletes the cell that its process before has stored behind the last checkpoint', async () => {
  const { bigtable } = await startInstance();
  const control = controlOf(bigtable);
  const file = join(directory, 'lists');
  writeFileSync(file, 'ann\nbob\neve\n');
  const sources = await findInputs([file]);
  await loadFiles({ ...QUIET, sources, writer: writerOf(bigtable), summary: createSummary() });
  await addToKeepOut(control, ['eve'], ABOUT);
  const keepOut = await watchKeepOut(control);
  const resumed = { resumeFrom: { lines: 1, digest: digestOf(['ann']), file, line: 1 }, hasEarlierCells: true };
  const loaded = await loadFiles({
    ...{ ...QUIET, ...resumed, sources, writer: writerOf(bigtable), summary: createSummary(), keepOut },
  });
  keepOut.stop();
  expect(loaded).toMatchObject({ written: 2, keptOut: 1 });
  expect(await findRows(control, 'asia', ['ann', 'bob', 'eve'].map(toUserId))).toEqual(['bob', 'ann']);
});

/** As the checkpoint of a load has it. */
const digestOf = (users: readonly string[]): number =>
  users.reduce((sum, user) => (Math.imul(sum, 31) + checksumOf(makeRowKey(toUserId(user)), LIST)[1]) >>> 0, 0);

test('a call that was killed after its rows is seen by loads when it is made again', async () => {
  const { bigtable } = await startInstance();
  const control = controlOf(bigtable);
  const keepOut = await watchKeepOut(control);
  expect(await addToKeepOut(control, ['ref'], ABOUT)).toBe(1);
  expect(await keepOut.refresh()).toBe(true);
  expect(await keepOut.refresh()).toBe(false);
  expect(await addToKeepOut(control, ['ref'], ABOUT)).toBe(0);
  expect(await keepOut.refresh()).toBe(true);
  expect([...(await readKeepOut(control)).keys()]).toEqual(['ref']);
  keepOut.stop();
});
