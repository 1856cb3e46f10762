// Kills `earshot erase` at random points, and resumes it: it is done once, whole. Then two of the same users at once.
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runNode, spawnNode } from '../../bench/rigs/local-cloud.ts';
import { readStored } from '../../ops/effects/documents.ts';
import { listErasures } from '../../ops/effects/erasure-record.ts';
import { toSegment } from '../../ops/effects/erasure-segments.ts';
import { findRows } from '../../ops/effects/user-rows.ts';
import { toUserId } from '../../shared/domain/ids.ts';
import { userHashOf } from '../../shared/domain/keys.ts';
import { COMMAND, createCommandInstances, home, lines } from '../commands/support/command-instances.ts';
import { controlOf, MONDAY } from '../contracts/origin/instance.ts';
import { drillRounds } from '../support/drill-rounds.ts';
import { runInProcess } from '../support/earshot/command-in-process.ts';

const USERS = 40;
const users = Array.from({ length: USERS }, (_, i) => toUserId(`u:${i + 1}`));
const WHY = ['--why', 'a drill', '--as', 'drill'];
const { startServer, makeLiveInstance } = createCommandInstances();

async function startInstance() {
  const instance = await makeLiveInstance(await startServer());
  const env = { ...instance.env, EARSHOT_HASH_KEY: 'a-hash-key-for-drills-only-0123456789' };
  const control = controlOf(instance.bigtable);
  const run = (...args: string[]) => runInProcess(args, env);
  /** In a process of its own. */
  const runAlone = (...args: string[]) => runNode([COMMAND, ...args], env);
  const generation = MONDAY + 1_000;
  /** Every user has a row again, in every cluster: the same generation, because Bigtable keeps six. */
  const loadAll = async (...again: string[]) => {
    const path = instance.file(`${generation}.ndjson`, lines(1, USERS));
    const loaded = await run('ingest', path, ...home(), '--generation', String(generation), ...again);
    expect(loaded.code, loaded.stderr).toBe(0);
  };
  /** Moments of the users in the documents; null for a hidden one, undefined for none. */
  const moments = async () => {
    const { manifest } = await instance.live();
    const names = (manifest.documents?.erasures ?? []).map((version) => ({ kind: 'erasures' as const, version }));
    const segments = await Promise.all(
      names.map(async (name) => toSegment(await readStored(control, name, undefined))),
    );
    return users.map((user) => segments.map((segment) => segment.get(userHashOf(user))).find((at) => at !== undefined));
  };
  const rowsLeft = async () => {
    const regions = ['asia', 'europe', 'us'];
    return (await Promise.all(regions.map((region) => findRows(control, region, users)))).flat();
  };
  return { control, env, loadAll, moments, rowsLeft, run, runAlone };
}

test('a killed erasure is resumed to its end, wherever it dies', async () => {
  const { control, env, loadAll, moments, rowsLeft, run, runAlone } = await startInstance();
  await loadAll();
  // A kill may come at any moment of a call.
  const startedAtMs = performance.now();
  expect(await runAlone('erase', ...users, ...WHY)).toMatchObject({ code: 0 });
  const callMs = performance.now() - startedAtMs;
  const ends = { before: 0, hidden: 0, after: 0 };
  for (let round = 0; round < drillRounds; round++) {
    await loadAll('--add');
    const before = (await listErasures(control)).length;
    const earlier = await moments();
    const erasing = spawnNode([COMMAND, 'erase', ...users, ...WHY], env);
    const delayMs = Math.random() * callMs;
    await Promise.race([setTimeout(delayMs), erasing.exited]);
    erasing.child.kill('SIGKILL');
    await erasing.exited;
    const began = (await listErasures(control)).length > before;
    const isHidden = (await moments()).every((at) => at === null);
    ends[!began ? 'before' : isHidden ? 'hidden' : 'after']++;
    expect(await run('erase', '--resume')).toMatchObject({ code: 0 });
    const erasures = await listErasures(control);
    expect(erasures.filter(({ state }) => state !== 'done')).toEqual([]);
    if (began) {
      expect(await rowsLeft()).toEqual([]);
      for (const [i, at] of (await moments()).entries()) expect(at).toBeGreaterThan(earlier[i] ?? 0);
    } else expect(await moments()).toEqual(earlier);
    const nothing = /^(no erasure is open|\S+: (begins, or )?was killed as it began.*nothing (is|was) hidden)$/;
    const said = (await run('erase', '--resume')).stdout.trim().split('\n');
    expect(said.filter((line) => !nothing.test(line))).toEqual([]);
  }
  console.log(`killed before the record ${ends.before}, hidden ${ends.hidden}, at another point ${ends.after} times`);
}, 600_000);

test('two erasures of the same users at once both end, and nothing is left', async () => {
  const { control, loadAll, moments, rowsLeft, runAlone } = await startInstance();
  await loadAll();
  const results = await Promise.all([runAlone('erase', ...users, ...WHY), runAlone('erase', ...users, ...WHY)]);
  expect(results).toMatchObject([{ code: 0 }, { code: 0 }]);
  expect((await listErasures(control)).map(({ state }) => state)).toEqual(['done', 'done']);
  expect(await rowsLeft()).toEqual([]);
  expect((await moments()).every((at) => Number.isFinite(at) && at !== null)).toBe(true);
});
