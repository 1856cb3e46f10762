// The tables and exit codes of `earshot check`, and the bounds that `earshot surface set` gives a surface.
import { beforeAll, describe, expect, test } from 'vitest';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { toName } from '../../shared/domain/ids.ts';
import { MONDAY, manifestOf, publishManifest, recordLoad, TUESDAY, WEDNESDAY } from '../contracts/origin/instance.ts';
import { createCommandInstances, home, messageOf } from './support/command-instances.ts';

const { startServer, makeInstance } = createCommandInstances({ inProcess: true });
let shared: EmbeddedBigtable;

beforeAll(async () => {
  shared = await startServer();
});

const RELEASE = `home/control@${formatGeneration(TUESDAY)}`;

/** Lists of 12 items for `users` users; a day changes the items of each list by `shift`. */
const listsOf = (users: number, shift: number): string =>
  Array.from({ length: users }, (_, u) => {
    const items = Array.from({ length: 12 }, (_, i) => ({ id: `i:${u}-${i + shift}`, score: 1 - i / 20 }));
    return `${JSON.stringify({ user: `u:${u}`, items })}\n`;
  }).join('');

/** Monday live, and Tuesday loaded with `users` of its 60 users. */
async function startTuesday(users: number) {
  const instance = await makeInstance(shared);
  const { bigtable, earshot, file } = instance;
  const load = (path: string, generation: number) =>
    earshot('ingest', path, ...home(), '--generation', String(generation));
  expect(await load(file('monday.ndjson', listsOf(60, 0)), MONDAY)).toMatchObject({ code: 0 });
  expect(await load(file('tuesday.ndjson', listsOf(users, 1)), TUESDAY)).toMatchObject({ code: 0 });
  await publishManifest(bigtable, manifestOf(1), MONDAY);
  return instance;
}

describe('earshot check', () => {
  test('shows the table of a good release and ends with 0', async () => {
    const { earshot, live } = await startTuesday(60);
    const before = await live();
    const { code, stdout, stderr } = await earshot('check', RELEASE);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^home\/control@20.* against the live home\/control@20.*, 60 users sampled in asia, europe, us\n/,
    );
    expect(stdout).toMatch(/^check +live +new +bound +verdict\n/m);
    expect(stdout).toMatch(/^users +60 +60 +at least 0\.9 of live +pass\n/m);
    expect(stdout).toMatch(/^overlap +- +0\.9 +at least 0\.4 +pass\n/m);
    expect(stdout.endsWith('\npassed\n')).toBe(true);
    expect(await live()).toEqual(before);
  });

  test('ends with 3 and one message that names each refusing check', async () => {
    const { earshot } = await startTuesday(30);
    const result = await earshot('check', RELEASE);
    expect(messageOf(result)).toEqual({
      code: 3,
      message: expect.stringMatching(
        /^earshot: home\/control@20\S+Z is refused: users: expected at least 0\.9 of live, got 30 \(live 60\); empty-lists: /,
      ),
    });
    expect(result.stdout).toContain('refused by 2 checks\n');
    const accept = ['--accept', 'users', '--accept', 'empty-lists', '--why', 'a smaller market'];
    expect(await earshot('check', RELEASE, ...accept)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^users .* accepted +a smaller market\n/m),
    });
  });

  test('prints JSON, also of a refusal, and gives it to the check command', async () => {
    const { earshot, file } = await startTuesday(60);
    const path = file('table.json', '');
    const command = `cat > ${path}; echo abort`;
    const result = await earshot('check', RELEASE, '--json', '--check-command', command);
    expect(result.code).toBe(3);
    expect(JSON.parse(result.stdout)).toMatchObject({
      release: RELEASE,
      verdict: 'refused',
      reasons: ['check-command: it said abort'],
      rows: expect.arrayContaining([expect.objectContaining({ check: 'clusters', new: 0, bound: 0, verdict: 'pass' })]),
    });
    const { readFileSync } = await import('node:fs');
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ release: RELEASE, verdict: 'passed' });
  });

  test('of a release that was not loaded is one message and exit code 1', async () => {
    const { bigtable, earshot } = await startTuesday(60);
    const wednesday = `home/control@${formatGeneration(WEDNESDAY)}`;
    const message = (ending: string) => ({
      code: 1,
      message: `earshot: expected a loaded release, got ${wednesday}, ${ending}`,
    });
    expect(messageOf(await earshot('check', wednesday))).toEqual(
      message('which was never loaded: load it with `npx earshot ingest`'),
    );
    const load = { surface: toName('home'), variant: toName('control'), generation: WEDNESDAY };
    await recordLoad(bigtable, load, { state: 'loading', lists: 1, rejected: 0 });
    expect(messageOf(await earshot('check', wednesday))).toEqual(message('whose load did not finish: load it again'));
    expect(messageOf(await earshot('check', RELEASE, '--regions', 'mars'))).toEqual({
      code: 1,
      message: 'earshot: expected a region of asia, europe, us, got mars',
    });
  });

  test('leaves out the regions that are marked as degraded', async () => {
    const { bigtable, earshot } = await startTuesday(60);
    const degraded = { us: { degradedUntilMs: Date.now() + 3_600_000 }, asia: { degradedUntilMs: 1 } };
    await publishManifest(bigtable, { ...manifestOf(2), regions: degraded }, TUESDAY);
    expect(await earshot('check', RELEASE)).toMatchObject({
      code: 0,
      stderr: 'note: not checked, because degraded: us\n',
      stdout: expect.stringContaining('sampled in asia, europe\n'),
    });
    expect((await earshot('check', RELEASE, '--regions', 'us')).stdout).toContain('sampled in us\n');
  });
});

describe('earshot surface set', () => {
  test('sets bounds, and takes them away', async () => {
    const { earshot, live } = await startTuesday(30);
    const checks = async () => (await live()).manifest.surfaces.home?.checks;
    expect((await earshot('surface', 'set', 'home', 'users=0.5', '--dry-run')).stdout).toContain('would be changed');
    expect(await checks()).toBeUndefined();
    const set = await earshot('surface', 'set', 'home', 'users=0.5', 'empty-lists=0.5', '--why', 'a smaller market');
    expect(set).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('home: is changed (version 2); own bounds: users=0.5 empty-lists=0.5\n'),
    });
    expect(await checks()).toEqual({ users: 0.5, 'empty-lists': 0.5 });
    expect(await earshot('check', RELEASE)).toMatchObject({ code: 0 });
    expect((await earshot('manifest', 'history')).stdout).toContain('surface set home users=0.5 empty-lists=0.5 by ');
    expect((await earshot('surface', 'set', 'home', 'users=0.5')).stdout).toContain('no change (version 2)');
    const back = await earshot('surface', 'set', 'home', 'users=default', 'empty-lists=default');
    expect(back.stdout).toContain('is changed (version 3); every check has its default bound\n');
    expect(await checks()).toBeUndefined();
    expect(messageOf(await earshot('surface', 'set', 'radio', 'users=1'))).toEqual({
      code: 1,
      message: 'earshot: expected a live surface, got radio (live are home)',
    });
  });
});
