// Each process of the local cloud is killed under 50 reads a second. Reads come back by themselves, and no answer is
// wrong meanwhile. Without its launcher the cloud ends. Two rounds kill each process once.
import { expect, test, vi } from 'vitest';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import type { PartStatus } from '../../ops/status/part-status.ts';
import { drillRounds } from '../support/drill-rounds.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { findProcesses } from '../support/processes.ts';
import { createReadLoad, type ReadLoad } from '../support/read-load.ts';
import { eventuallySeldom } from '../support/waiting.ts';

/** A process by its part, and by a word of its command line. */
const VICTIMS: readonly (readonly [part: string, command: string])[] = [
  ['bigtable', 'bigtable/main.ts'],
  ['origin/asia', 'origin/start.mjs'],
  ['origin/europe', 'origin/start.mjs'],
  ['origin/us', 'origin/start.mjs'],
  ['edge', 'workerd serve'],
  ['edge', 'wrangler/bin/wrangler.js'],
  ['edge', 'wrangler-dist/cli.js'],
  ['guard', 'guard.ts'],
];

/** A restart that hangs is killed after 30 s, and the next one after 60 s. */
const RESTARTS = { timeout: 150_000, interval: 50 };

test('reads come back after each kill, no answer is wrong, and nothing is left without the launcher', async () => {
  for (let round = 1; round <= drillRounds; round += 1) {
    const cloud = await startTestCloud();
    try {
      const load = await createReadLoad(cloud);
      // Every second one, so that two rounds have killed each once.
      const victims = VICTIMS.filter((_, i) => i % 2 === round % 2);
      for (const [part, command] of victims) await killAndRecover(cloud, load, { part, command, round });
      await load.stop();
      await killLauncher(cloud, round);
    } finally {
      await cloud.stop();
    }
    expect(findProcesses(cloud.stateDirectory)).toEqual([]);
  }
}, 3_600_000);

interface Kill {
  readonly part: string;
  readonly command: string;
  readonly round: number;
}

async function killAndRecover(cloud: TestCloud, load: ReadLoad, { part, command, round }: Kill): Promise<void> {
  const before = await partStatus(cloud, part);
  const [pid] = membersOf(cloud, before.pid ?? 0, command);
  expect(pid, `a process of ${part} with ${command}`).toBeDefined();
  await load.settle();
  const killedAtMs = performance.now();
  process.kill(pid ?? 0, 'SIGKILL');
  await vi.waitFor(async () => {
    const { state, restarts } = await partStatus(cloud, part);
    const restarted = restarts > before.restarts;
    expect({ part, command, state, restarted }).toEqual({ part, command, state: 'ready', restarted: true });
  }, RESTARTS);
  const restartedMs = performance.now() - killedAtMs;
  await load.settle();
  const { bad, wrong, answers, lastBadAtMs } = load.since(killedAtMs);
  const recoveredMs = lastBadAtMs === undefined ? 0 : lastBadAtMs - killedAtMs;
  process.stdout.write(
    `round ${round}: ${part} (${command}): ready again after ${seconds(restartedMs)}, reads after ${seconds(recoveredMs)}, ${bad} of ${answers} without an answer, ${wrong.length} wrong\n`,
  );
  expect(wrong).toEqual([]);
}

async function killLauncher(cloud: TestCloud, round: number): Promise<void> {
  const [launcher] = findProcesses(cloud.stateDirectory).filter(({ command }) => command.includes('dev/start.ts'));
  const killedAtMs = performance.now();
  process.kill(launcher?.pid ?? 0, 'SIGKILL');
  await eventuallySeldom(() => expect(findProcesses(cloud.stateDirectory)).toEqual([]));
  process.stdout.write(`round ${round}: launcher: nothing runs after ${seconds(performance.now() - killedAtMs)}\n`);
}

async function partStatus(cloud: TestCloud, name: string): Promise<PartStatus> {
  const { controlUrl } = cloud.describe();
  const { parts } = (await (await fetch(`${controlUrl}/parts`)).json()) as { parts: PartStatus[] };
  const part = parts.find((each) => each.name === name);
  if (part === undefined) throw new Error(`expected a part ${name}, got ${parts.map((each) => each.name).join(', ')}`);
  return part;
}

/** Processes of the part's group. A worker has two of workerd; rounds take turns. */
function membersOf(cloud: TestCloud, group: number, command: string): number[] {
  return findProcesses(cloud.stateDirectory)
    .filter((process_) => process_.command.includes(command) && process_.group === group)
    .map(({ pid }) => pid);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
