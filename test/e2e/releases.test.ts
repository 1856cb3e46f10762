// Releases in a running local cloud, under load: gate, canary, ramp by regions, roll-back, a region that is out. Every
// answer of the load must be the list of the release that it names, of a release that was published.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandResult, spawnNode, type TestCloud } from '../../bench/rigs/local-cloud.ts';
import { itemsOn, type ListOfUser, linesOn, userOf } from '../../bench/support/days-of-lists.ts';
import { formatGeneration, parseGeneration } from '../../shared/domain/generation.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { createReleaseLoad, type ReleaseAnswer, type ReleaseLoad } from '../support/release-load.ts';
import { eventually, eventuallySeldom } from '../support/waiting.ts';

const USERS = 1_400;
const users = Array.from({ length: USERS }, (_, i) => userOf(i));
/** Every fifth user: a quarter of them are among those that some releases miss. */
const sample = users.filter((_, i) => i % 5 === 0);
const PLACES = [undefined, 'NRT', 'LHR', 'SFO'];

let cloud: TestCloud;
let directory: string;
let load: ReleaseLoad;
/** Generation and day of each release that was published. */
const published = new Map<string, number>();
let day = 0;
let generation = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-days-'));
  writeFileSync(join(directory, 'home.control.ndjson'), [...linesOn(users, 0)].join(''));
  cloud = await startTestCloud('--data', directory);
  load = await createReleaseLoad(cloud, users);
  const [first] = await load.readAll([userOf(0)]);
  generation = parseGeneration(first?.generation ?? '') ?? 0;
  published.set(first?.generation ?? '', 0);
});

afterAll(async () => {
  load?.stop();
  await cloud?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Loads the next day, or another one. Returns the name of its release. */
async function ingest(
  change?: (list: ListOfUser) => ListOfUser | undefined,
  of: number = ++day,
): Promise<{ release: string; moment: string }> {
  generation += 1_000;
  const moment = formatGeneration(generation);
  const path = join(directory, `${generation}.ndjson`);
  writeFileSync(path, [...linesOn(users, of, change)].join(''));
  const which = ['--surface', 'home', '--variant', 'control', '--generation', moment];
  expect(await cloud.earshot('ingest', path, ...which)).toMatchObject({ code: 0 });
  return { release: `home/control@${moment}`, moment };
}

async function publish(release: string, ...args: string[]): Promise<CommandResult> {
  published.set(release.split('@')[1] ?? '', day);
  return cloud.earshot('publish', release, ...args);
}

/** Each answer must be the list of a published release, as it was loaded. Returns the releases. */
async function readEverywhere(of: readonly string[] = sample): Promise<Set<string>> {
  const seen = new Set<string>();
  // Each user at one place, and every place with as many users.
  for (const [at, place] of PLACES.entries()) {
    const there = of.filter((_, i) => i % PLACES.length === at);
    for (const answer of await load.readAll(there, place)) {
      expect(answer, `${answer.user} at ${place}`).toMatchObject({ status: 200, source: 'personal' });
      seen.add(answer.generation);
      expectAsLoaded(answer);
    }
  }
  return seen;
}

function expectAsLoaded({ user, generation: named, ids }: ReleaseAnswer): void {
  const of = published.get(named);
  if (of === undefined) throw new Error(`expected the list of a published release, got ${named} for ${user}`);
  expect(ids).toEqual(itemsOn(user, of).slice(0, ids.length));
}

const isMissing = ({ user }: ListOfUser): boolean => Number(user.slice(2)) % 20 === 0;
const missing = users.filter((user) => isMissing({ user, items: [] }));

test('loads between two releases, half a load, and a release that was left are served to nobody', async () => {
  const [first = ''] = published.keys();
  await ingest();
  const next = await ingest((list) => (isMissing(list) ? undefined : list));
  expect(await publish(next.release)).toMatchObject({ code: 0, stdout: expect.stringContaining('is live') });
  // The users that the release misses keep the list of the one before, not that of the load between the two.
  expect(await readEverywhere()).toEqual(new Set([first, next.moment]));
  expect(await readEverywhere(missing)).toEqual(new Set([first]));

  const half = spawnNode(
    [
      'ops/earshot.mjs',
      'ingest',
      join(directory, `${generation}.ndjson`),
      '-',
      '--surface',
      'home',
      '--variant',
      'control',
      '--generation',
      formatGeneration(generation + 500),
    ],
    { EARSHOT_STATE_DIR: cloud.stateDirectory },
  );
  await eventuallySeldom(async () => expect((await cloud.earshot('releases', 'home')).stdout).toMatch(/ loading +0 /));
  half.child.kill('SIGKILL');
  await half.exited;

  const left = await ingest((list) => (isMissing(list) ? undefined : list));
  expect(await publish(left.release)).toMatchObject({ code: 0 });
  expect(await readEverywhere()).toEqual(new Set([first, left.moment]));
  const back = await cloud.earshot('rollback', 'home/control', '--why', 'a test');
  expect(back).toMatchObject({ code: 0, stdout: expect.stringContaining(`${left.release} is left`) });
  published.delete(left.moment);
  expect(await readEverywhere()).toEqual(new Set([first, next.moment]));

  const after = await ingest((list) => (isMissing(list) ? undefined : list));
  expect(await publish(after.release)).toMatchObject({ code: 0 });
  expect(await readEverywhere()).toEqual(new Set([first, after.moment]));
  expect((await cloud.earshot('releases', 'home')).stdout).toMatch(/Z +rolled-back/);
  expect(await cloud.earshot('publish', left.release)).toMatchObject({ code: 1 });
});

test('a bad day is refused by the gate, and what is live stays', async () => {
  const bad = await ingest(({ user, items }) => ({ user, items: items.slice(0, 1) }));
  const refused = await cloud.earshot('publish', bad.release);
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('was refused')]);
  await readEverywhere();
  expect(await cloud.earshot('release', 'drop', bad.release, '--why', 'it was refused')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('1 400 lists deleted'),
  });
});

test('a good canary goes on to a ramp by regions, and no user goes back', async () => {
  const good = await ingest();
  published.set(good.moment, day);
  const watch = load.watch(PLACES);
  const result = await cloud.earshot(
    ...['publish', good.release, '--canary', '25%', '--soak', '26s'],
    ...['--regions', 'europe,us,asia', '--between', '2s', '--ramp', '4s', '--why', 'a test'],
  );
  const seen = await watch.end();
  expect([result.code, result.stderr]).toEqual([0, expect.stringContaining('canary: good')]);
  expect(seen.failures).toEqual([]);
  for (const answer of seen.answers) expectAsLoaded(answer);
  expect(seen.goneBack).toEqual([]);
  expect(await readEverywhere()).toEqual(new Set([good.moment]));
  const history = await cloud.earshot('history', 'home');
  expect(history.stdout).toMatch(/loaded[\s\S]*checked[\s\S]*canary[\s\S]*ramping[\s\S]*live/);
});

test('a canary that answers less comes back by itself, and only its users saw it', async () => {
  // The lists of every fifth user outside of the sample lose most of their items after the gate has looked.
  const bad = await ingest();
  published.set(bad.moment, day);
  const watch = load.watch(PLACES);
  const publishing = spawnNode(['ops/earshot.mjs', 'publish', bad.release, '--canary', '25%', '--soak', '60s'], {
    EARSHOT_STATE_DIR: cloud.stateDirectory,
  });
  await eventuallySeldom(async () =>
    expect((await cloud.earshot('release', 'show', bad.release)).stdout).toContain('checked'),
  );
  await load.emptyLists(bad.moment, users);
  expect(await publishing.exited).toBe(4);
  const seen = await watch.end();
  const onIt = new Set(seen.answers.filter(({ generation: named }) => named === bad.moment).map(({ user }) => user));
  expect(onIt.size / USERS).toBeLessThan(0.3);
  expect(publishing.output.stderr).toMatch(/went back: the guard found/);
  published.delete(bad.moment);
  await readEverywhere();
});

test('a region that is out does not hold a publication up, and restored it serves the new release', async () => {
  await cloud.earshot('fault', 'bigtable/europe', '--down');
  await cloud.earshot('fault', 'replication', '--stop', 'europe');
  const until = new Date(Date.now() + 3_600_000).toISOString();
  expect(await cloud.earshot('region', 'degrade', 'europe', '--until', until, '--why', 'a test')).toMatchObject({
    code: 0,
  });
  await eventuallySeldom(async () =>
    expect((await cloud.earshot('status')).stdout).toContain('region europe is marked as degraded'),
  );
  const next = await ingest();
  expect(await publish(next.release)).toMatchObject({ code: 0 });
  expect(await readEverywhere()).toEqual(new Set([next.moment]));
  await cloud.earshot('fault', '--heal');
  expect(await cloud.earshot('region', 'restore', 'europe')).toMatchObject({ code: 0 });
  expect(await readEverywhere()).toEqual(new Set([next.moment]));
});

test('items have releases: the gate, and a way back', async () => {
  const ids = [...new Set(users.flatMap((user) => itemsOn(user, day)))];
  const write = async (title: string, of: readonly string[]) => {
    generation += 1_000;
    const path = join(directory, `items.${generation}.ndjson`);
    writeFileSync(path, of.map((id) => `${JSON.stringify({ id, title })}\n`).join(''));
    const moment = formatGeneration(generation);
    expect(await cloud.earshot('ingest', path, '--items', '--generation', moment)).toMatchObject({ code: 0 });
    return `items@${moment}`;
  };
  const titles = async (): Promise<Set<unknown>> => {
    const answers = await load.readAll(users.slice(0, 20), undefined, 'items');
    return new Set(answers.flatMap(({ titles: each }) => each));
  };
  /** Metadata that an origin has no time for is left out, and comes with a later read. It is of no other release. */
  const expectTitle = async (title: string): Promise<void> => {
    expect([title, undefined]).toEqual(expect.arrayContaining([...(await titles())]));
    await eventually(async () => expect(await titles()).toEqual(new Set([title])));
  };
  expect(await cloud.earshot('publish', await write('one', ids))).toMatchObject({ code: 0 });
  await eventually(async () => expect(await titles()).toEqual(new Set(['one'])));
  const two = await write('two', ids);
  await expectTitle('one');
  expect(await cloud.earshot('publish', two)).toMatchObject({ code: 0 });
  await expectTitle('two');
  expect(await cloud.earshot('rollback', 'items', '--why', 'a test')).toMatchObject({ code: 0 });
  await expectTitle('one');
  expect(await cloud.earshot('publish', await write('three', ids.slice(0, 100)))).toMatchObject({ code: 3 });
  await expectTitle('one');
});
