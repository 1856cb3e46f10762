// Kills `earshot ingest` at random points, and its `--resume` once more: the table is that of a load that nothing
// disturbed, cell by cell, and the rejects are whole.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { spawnNode } from '../../bench/rigs/local-cloud.ts';
import { COMMAND, createCommandInstances, home, releaseOf } from '../commands/support/command-instances.ts';
import { readStoredCells } from '../commands/support/stored-cells.ts';
import { MONDAY, TUESDAY } from '../contracts/origin/instance.ts';
import { drillRounds } from '../support/drill-rounds.ts';

/** 200 000 from 20 rounds on. */
const USERS = Math.min(200_000, 10_000 * drillRounds);
/** One line in so many is a reject, which is as much as a load allows. */
const REJECT_EVERY = 1_000;
/** The list of Monday stays. */
const LISTS = USERS - USERS / REJECT_EVERY + 1;
const GENERATION = ['--generation', String(TUESDAY)];
const { root, startServer, makeLiveInstance } = createCommandInstances({ inProcess: true });

async function startInstance() {
  const server = await startServer();
  const instance = await makeLiveInstance(server);
  const rejects = join(instance.directory, 'rejects.ndjson');
  const args = ['ingest', join(root, 'lists.ndjson'), ...home(), ...GENERATION, '--rejects', rejects];
  // A load never writes to a file that is there.
  const start = (...more: string[]) => {
    rmSync(rejects, { force: true });
    return spawnNode([COMMAND, ...args, ...more], instance.env);
  };
  const run = (...more: string[]) => {
    rmSync(rejects, { force: true });
    return instance.earshot(...args, ...more);
  };
  const result = async () => ({
    cells: await readStoredCells(instance.bigtable, 'home/control'),
    rejects: readFileSync(rejects, 'utf8'),
    summary: (await instance.receipt(TUESDAY))?.summary,
    state: (await instance.receipt(TUESDAY))?.state,
  });
  const stop = async () => {
    await instance.bigtable.close();
    await server.close();
  };
  return { ...instance, result, run, start, stop };
}

beforeAll(() => {
  const lines = Array.from({ length: USERS }, (_, i) =>
    i % REJECT_EVERY === 7
      ? `{"user":"u:${i}"}`
      : `{"user":"u:${i}","items":[{"id":"item:${i}","score":1},{"id":"item:${i * 7}","score":0.5}]}`,
  );
  writeFileSync(join(root, 'lists.ndjson'), `${lines.join('\n')}\n`);
});

test('a load that is killed and resumed ends in the same table, wherever it dies', async () => {
  const undisturbed = await startInstance();
  const loading = undisturbed.start();
  while ((await undisturbed.receipt(TUESDAY)) === undefined) await setTimeout(10);
  const startedAtMs = performance.now();
  expect(await loading.exited).toBe(0);
  const loadMs = performance.now() - startedAtMs;
  const expected = await undisturbed.result();
  expect(expected).toMatchObject({
    state: 'loaded',
    cells: { count: LISTS, timestamps: [MONDAY, TUESDAY] },
  });
  expect(expected.rejects.trimEnd().split('\n')).toHaveLength(USERS / REJECT_EVERY);
  await undisturbed.stop();

  const ends = { early: 0, resumed: 0, ended: 0 };
  for (let round = 0; round < drillRounds; round++) {
    const { receipt, result, run, start, stop } = await startInstance();
    const killAt = async (...more: string[]) => {
      const before = (await receipt(TUESDAY))?.loader;
      const loading = start(...more);
      // The start of the process takes as long as the load of some ten thousand lists.
      const isClaimed = async () => (await receipt(TUESDAY))?.loader !== before || loading.child.exitCode !== null;
      while (!(await isClaimed())) await setTimeout(10);
      await Promise.race([setTimeout(Math.random() * loadMs), loading.exited]);
      loading.child.kill('SIGKILL');
      await loading.exited;
      return (await receipt(TUESDAY))?.state;
    };
    let state = await killAt();
    if (state === 'loading') state = await killAt('--resume');
    ends[state === undefined ? 'early' : state === 'loading' ? 'resumed' : 'ended']++;
    if (state !== 'loaded') {
      const { code } = await run(...(state === 'loading' ? ['--resume'] : []));
      // A claim that was under way at the kill is there by now.
      const { stderr, ...again } = code === 0 ? { code, stderr: '' } : await run('--resume');
      expect(again.code, stderr).toBe(0);
    }
    expect(await result()).toEqual(expected);
    await stop();
  }
  console.log(
    `${USERS} users: killed before the record ${ends.early}, resumed ${ends.resumed}, ended before ${ends.ended} times`,
  );
}, 3_600_000);

test('a load goes on with its own inputs only, and other processes do not begin again', async () => {
  const { earshot, file, receipt, start, stop, run } = await startInstance();
  const loading = start();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setInterval(async () => {
    if ((await receipt(TUESDAY))?.checkpoint !== undefined || loading.child.exitCode !== null) resolve();
  }, 100);
  await promise;
  clearInterval(timer);
  loading.child.kill('SIGKILL');
  await loading.exited;
  const other = file('other.ndjson', '{"user":"u:1","items":[{"id":"a","score":1}]}\n');
  if ((await receipt(TUESDAY))?.state === 'loading') {
    const resumed = await earshot('ingest', other, ...home(), ...GENERATION, '--resume');
    expect(resumed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/expected the inputs of the load of .* that ended/),
    });
    expect((await receipt(TUESDAY))?.state).toBe('loading');
    expect((await earshot('publish', releaseOf(TUESDAY))).stderr).toContain('whose load did not finish');
    expect(await run('--resume')).toMatchObject({ code: 0, stderr: expect.stringMatching(/not loaded/) });
  }
  expect(await run('--resume')).toMatchObject({
    ...{
      code: 1,
      stderr: expect.stringMatching(/expected a load of home\/control.* that ended before its end, got loaded/),
    },
  });
  await stop();
}, 600_000);
