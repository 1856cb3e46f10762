// Users who are kept out while a load runs: also the lines that the load has accepted by then are gone at its end.
import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createBulkWriter } from '../../../../ops/bigtable/writes/bulk-writer.ts';
import { addToKeepOut, readKeepOut, watchKeepOut } from '../../../../ops/effects/keep-out.ts';
import { deleteUserRows, findRows } from '../../../../ops/effects/user-rows.ts';
import { findInputs } from '../../../../ops/ingest/inputs/find-inputs.ts';
import { loadFiles } from '../../../../ops/ingest/load-files.ts';
import { APP_PROFILES } from '../../../../origin/bigtable/app-profiles.ts';
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

test('a line that waits in a batch during the whole erasure is not stored', async () => {
  const { bigtable } = await startInstance();
  const control = controlOf(bigtable);
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  writeFileSync(first, 'ann\nbob\n');
  execFileSync('mkfifo', [second]);
  const keepOut = await watchKeepOut(control);
  const writer = createBulkWriter(bigtable, {
    ...{ table: TABLES.recommendations, family: FAMILIES.lists, timestampMs: MONDAY, appProfile: APP_PROFILES.ingest },
    ...{ qualifier: makeListQualifier(toName('home'), toName('control')), clock: systemClock, random: Math.random },
  });
  const loading = loadFiles({
    ...{ sources: await findInputs([first, second]), writer, keepOut, summary: { add: () => undefined } },
    form: { kind: 'lists', family: FAMILIES.lists, qualifier: 'home/control', timestampMicros: MONDAY * 1_000 },
    parse: (id) => ({ id, cell: { rowKey: makeRowKey(toUserId(id)), value: '{"id":"x","score":1}' } }),
    rejects: { add: async () => undefined, count: () => 0, close: async () => undefined, path: '' },
    progress: { start: () => undefined, addBytes: () => undefined, setCounts: () => undefined, stop: () => undefined },
  });
  // The load opens the second file once it has accepted every line of the first.
  const pipe = createWriteStream(second);
  await new Promise((resolve) => pipe.once('open', resolve));
  const ann = toUserId('ann');
  await addToKeepOut(control, [ann], ABOUT);
  await eventually(() => expect(keepOut.has(ann)).toBe(true));
  await deleteUserRows(control, [ann]);
  pipe.end('eve\n');
  expect(await loading).toEqual({ written: 2, keptOut: 1 });
  keepOut.stop();
  expect(await findRows(control, 'asia', ['ann', 'bob', 'eve'].map(toUserId))).toEqual(['bob', 'eve']);
});

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
