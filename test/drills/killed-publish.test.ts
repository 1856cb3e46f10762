// Kills `earshot publish` at random points, under load, and resumes it or leaves it. The manifest is always valid, and
// no user is on a release that was refused. A canary that is left alone ends by itself. Every third release is bad.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { spawnNode, type TestCloud } from '../../bench/rigs/local-cloud.ts';
import { type ListOfUser, linesOn, userOf } from '../../bench/support/days-of-lists.ts';
import { formatGeneration, parseGeneration } from '../../shared/domain/generation.ts';
import { parseManifest } from '../../shared/domain/manifest.ts';
import { drillRounds } from '../support/drill-rounds.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { createReleaseLoad } from '../support/release-load.ts';
import { eventually, eventuallySeldom } from '../support/waiting.ts';

const users = Array.from({ length: 1_400 }, (_, i) => userOf(i));
/** A publication of a good release takes about as long. */
const MAX_DELAY_MS = 45_000;
const OPTIONS = ['--canary', '25%', '--soak', '26s', '--regions', 'europe,us,asia', '--between', '1s', '--ramp', '2s'];

interface Drill {
  readonly cloud: TestCloud;
  readonly directory: string;
  generation: number;
  day: number;
}

test('a killed publication leaves a valid manifest, and nobody on a refused release', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-killed-'));
  writeFileSync(join(directory, 'home.control.ndjson'), [...linesOn(users, 0)].join(''));
  const cloud = await startTestCloud('--data', directory);
  try {
    const load = await createReleaseLoad(cloud, users);
    const [{ generation: first } = { generation: '' }] = await load.readAll([userOf(0)]);
    const drill: Drill = { cloud, directory, generation: parseGeneration(first) ?? 0, day: 0 };
    const bad = new Set<string>();
    for (let round = 1; round <= drillRounds; round++) {
      const isBad = round % 3 === 0;
      const release = await ingest(drill, isBad);
      const moment = release.split('@')[1] ?? '';
      if (isBad) bad.add(moment);
      const watch = load.watch([undefined, 'NRT', 'LHR', 'SFO']);
      // The fourth round dies in its canary and is left alone, so that the canary has to end by itself.
      const isLeft = round === 4;
      const delayMs = isLeft ? undefined : Math.random() * MAX_DELAY_MS;
      const isResumed = !isLeft && Math.random() < 0.5;
      const code = await publishAndKill(drill, release, delayMs, isResumed);
      const { answers, failures } = await watch.end();
      console.log(
        `round ${round}: ${isBad ? 'bad' : 'good'} release, killed after ${delayMs?.toFixed(0) ?? 'the begin of its canary'} ms, ${isResumed ? `resumed with exit code ${code}` : 'left alone'}, ${answers.length} reads`,
      );
      expect(failures).toEqual([]);
      expect(answers.filter(({ generation }) => bad.has(generation))).toEqual([]);
      if (isLeft) {
        await untilCanaryIsOver(cloud);
        await eventually(async () => expect(await releasesOf(load)).toHaveLength(1));
      }
      // 1: nothing is open, because the publication had not begun, or had ended.
      if (isBad && isResumed) expect([1, 3]).toContain(code);
      await cleanUp(drill, release);
    }
    load.stop();
  } finally {
    await cloud.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}, 3_600_000);

async function ingest(drill: Drill, isBad: boolean): Promise<string> {
  drill.generation += 1_000;
  drill.day += 1;
  const moment = formatGeneration(drill.generation);
  const path = join(drill.directory, 'next.ndjson');
  const cut = ({ user, items }: ListOfUser): ListOfUser => ({ user, items: items.slice(0, 1) });
  writeFileSync(path, [...linesOn(users, drill.day, isBad ? cut : undefined)].join(''));
  const which = ['--surface', 'home', '--variant', 'control', '--generation', moment];
  expect(await drill.cloud.earshot('ingest', path, ...which)).toMatchObject({ code: 0 });
  return `home/control@${moment}`;
}

/** Kills the publication after `delayMs`, or in its canary. Returns the exit code of its resumption. */
async function publishAndKill(
  { cloud }: Drill,
  release: string,
  delayMs: number | undefined,
  isResumed: boolean,
): Promise<number | undefined> {
  const env = { EARSHOT_STATE_DIR: cloud.stateDirectory };
  const publishing = spawnNode(['ops/earshot.mjs', 'publish', release, ...OPTIONS], env);
  if (delayMs === undefined)
    await eventuallySeldom(async () =>
      expect((await cloud.earshot('release', 'show', release)).stdout).toContain(': canary'),
    );
  else await Promise.race([setTimeout(delayMs), publishing.exited]);
  publishing.child.kill('SIGKILL');
  await publishing.exited;
  await requireValidManifest(cloud);
  if (!isResumed) return undefined;
  const { code } = await cloud.earshot('publish', 'home/control', '--resume');
  await requireValidManifest(cloud);
  return code;
}

async function requireValidManifest(cloud: TestCloud): Promise<void> {
  const { code, stdout } = await cloud.earshot('manifest', 'show', '--json');
  expect(code).toBe(0);
  parseManifest(stdout);
}

/** The manifest names the moment when every edge leaves the canary. */
async function untilCanaryIsOver(cloud: TestCloud): Promise<void> {
  const { surfaces } = parseManifest((await cloud.earshot('manifest', 'show', '--json')).stdout);
  const { canary } = surfaces.home?.variants[0] ?? {};
  if (canary === undefined) throw new Error('expected a canary that was left alone, got none');
  while (Date.now() < canary.untilMs) await setTimeout(1_000);
}

const releasesOf = async (load: Awaited<ReturnType<typeof createReleaseLoad>>): Promise<string[]> => [
  ...new Set((await load.readAll(users)).map(({ generation }) => generation)),
];

/** Whatever is open ends, and the next round begins from a release that is live for every user. */
async function cleanUp({ cloud }: Drill, release: string): Promise<void> {
  const shown = (await cloud.earshot('release', 'show', release)).stdout;
  if (/open at step/.test(shown) && !/: (live|ramping)/.test(shown))
    expect(await cloud.earshot('rollback', 'home/control', '--why', 'the end of a round')).toMatchObject({ code: 0 });
  else if (/open at step/.test(shown)) await cloud.earshot('publish', 'home/control', '--resume');
  if (/: ramping/.test(shown)) await cloud.earshot('ramp', 'finish', 'home/control');
  const ended = (await cloud.earshot('release', 'show', release)).stdout;
  expect(ended).not.toContain('open at step');
  // A release that is left takes a version of a list, which the next rounds need.
  if (!/: (live|ramping)/.test(ended))
    expect(await cloud.earshot('release', 'drop', release, '--why', 'the end of a round')).toMatchObject({ code: 0 });
  await requireValidManifest(cloud);
}
