// `earshot experiment`, `earshot layer` and `earshot variant remove` against an instance: changes, refusals, history.
import { beforeAll, describe, expect, test } from 'vitest';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { toName } from '../../shared/domain/ids.ts';
import { makeUserHash } from '../../shared/domain/keys.ts';
import { MONDAY, recordLoadOfOne } from '../contracts/origin/instance.ts';
import { createCommandInstances, messageOf, releaseOf } from './support/command-instances.ts';

const { makeLiveInstance, startServer } = createCommandInstances({ inProcess: true });
let server: EmbeddedBigtable;
beforeAll(async () => {
  server = await startServer();
});

const ARMS = ['--arm', 'control=50', '--arm', 'knn=50'];

async function start() {
  const instance = await makeLiveInstance(server);
  await recordLoadOfOne(instance.bigtable, { surface: toName('home'), variant: toName('knn'), generation: MONDAY });
  expect(await instance.earshot('publish', releaseOf(MONDAY, 'knn'))).toMatchObject({ code: 0 });
  const experiment = (...args: string[]) => instance.earshot('experiment', ...args, '--as', 'ann', '--why', 'a test');
  const experiments = async () => (await instance.live()).manifest.experiments;
  return { ...instance, experiment, experiments };
}

test('the life of an experiment, with its history', async () => {
  const { earshot, experiment, experiments } = await start();
  expect(await experiment('create', 'ranking', '--surface', 'home', '--size', '20', ...ARMS)).toMatchObject({
    ...{
      code: 0,
      stdout: expect.stringMatching(/^ranking is draft: control=50 %, knn=50 %\nof 100000 users .*, 0 move/),
    },
  });
  const before = await experiments();
  expect(await experiment('start', 'ranking', '--dry-run')).toMatchObject({
    stdout: expect.stringMatching(/^would be: ranking is running[\s\S]*home\/control -> ranking\/knn: (9|10)\d{3}/),
  });
  expect(await experiments()).toEqual(before);
  for (const verb of ['start', 'close', 'stop'])
    expect(await experiment(verb, 'ranking'), verb).toMatchObject({ code: 0 });
  expect((await experiments())?.ranking).toMatchObject({ state: 'stopped', slots: [[0, 2_000]], salt: 'ranking-1' });
  const again = await experiment('restart', 'ranking', '--arm', 'control=90', '--arm', 'knn=10');
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('control=90 %, knn=10 %') });
  const { stdout } = await earshot('experiment', 'show', 'ranking');
  expect(stdout).toMatch(/state +running\n/);
  const verbs = [...stdout.matchAll(/experiment (\w+) ranking +ann +a test/g)].map(([, verb]) => verb);
  expect(verbs).toEqual(['restart', 'stop', 'close', 'start', 'create']);
  expect((await earshot('experiment', 'list')).stdout).toMatch(
    /ranking +home +home +running +20\.0 % +control=90 %, knn=10 %/,
  );
  expect((await earshot('layer', 'list')).stdout).toMatch(/home +\(free\) +80 % +2000-9999/);
});

test('targeting and allow lists are stored, users as hashes', async () => {
  const { experiment, experiments } = await start();
  const who = ['--country', 'SE', '--country', 'NO', '--claim', 'plan=premium', '--allow', 'knn=listener:7'];
  await experiment('create', 'ranking', '--surface', 'home', ...ARMS, ...who);
  expect((await experiments())?.ranking).toMatchObject({
    targeting: { countries: ['SE', 'NO'], claims: { plan: ['premium'] } },
    allow: { knn: [makeUserHash('listener:7')] },
  });
  expect(JSON.stringify(await experiments())).not.toContain('listener:7');
});

test('explain tells the rule that decided, and those that were looked at', async () => {
  const { earshot, experiment } = await start();
  await experiment('create', 'ranking', '--surface', 'home', ...ARMS, '--country', 'SE');
  await experiment('start', 'ranking');
  const outside = JSON.parse((await earshot('experiment', 'explain', 'listener:7', '--json')).stdout);
  expect(outside.surfaces).toMatchObject([{ surface: 'home', experiment: 'home', reason: 'weight' }]);
  const inside = await earshot('experiment', 'explain', 'listener:7', '--country', 'SE');
  expect(inside.stdout).toMatch(/^home: (control|knn), by ranking \(bucket\), 2026-/);
  expect(inside.stdout).toMatch(/slot \d+ of home is its own, targets .*SE.*, bucket \d+ of ranking-1 is of the arm/);
});

describe('a refusal says why, and changes nothing', () => {
  test.each<[string, string[], string]>([
    [
      'overlapping slots',
      ['create', 'other', '--surface', 'home', '--slots', '100-200', ...ARMS],
      'expected free slots',
    ],
    ['a surface that is not live', ['create', 'other', '--surface', 'shelf', ...ARMS], 'expected a live surface'],
    ['a used salt', ['restart', 'ranking', '--salt', 'ranking-1'], 'expected a salt that nothing has used'],
    ['another layer', ['create', 'other', '--surface', 'home', '--layer', 'two', ...ARMS], ''],
    ['a smaller arm', ['set', 'ranking', '--arm', 'knn=10'], 'it needs `experiment restart`'],
    ['an unknown experiment', ['stop', 'other'], 'expected an experiment, got other (there are ranking)'],
  ])('%s', async (_case, args, message) => {
    const { experiment, live } = await start();
    await experiment('create', 'ranking', '--surface', 'home', ...ARMS);
    await experiment('start', 'ranking');
    if (args.includes('--layer')) {
      await experiment(...args);
      const before = await live();
      const refused = messageOf(await experiment('start', 'other'));
      expect(refused).toEqual({
        code: 1,
        message: expect.stringContaining('expected the experiments of home in one layer'),
      });
      expect(await live()).toEqual(before);
      return;
    }
    const before = await live();
    expect(messageOf(await experiment(...args))).toEqual({ code: 1, message: expect.stringContaining(message) });
    expect(await live()).toEqual(before);
  });

  test('an arm without a live release, and a variant that is an arm', async () => {
    const { earshot, experiment } = await start();
    await experiment('create', 'later', '--surface', 'home', '--arm', 'control=50', '--arm', 'mf=50');
    expect(messageOf(await experiment('start', 'later'))).toEqual({
      ...{ code: 1, message: expect.stringContaining('got none of home/mf') },
    });
    await experiment('set', 'later', '--arm', 'control=50', '--arm', 'knn=50', '--size', '10');
    expect(await experiment('start', 'later')).toMatchObject({ code: 0 });
    await earshot('weight', 'home', 'control=100', 'knn=0');
    expect(messageOf(await earshot('variant', 'remove', 'home/knn'))).toEqual({
      ...{ code: 1, message: expect.stringContaining('home/knn is an arm of later') },
    });
  });
});

describe('other commands', () => {
  test('do not take the control of a holdout, or a surface with an experiment', async () => {
    const { earshot, experiment } = await start();
    await experiment('holdout', '5');
    await earshot('weight', 'home', 'control=0', 'knn=100');
    expect(messageOf(await earshot('variant', 'remove', 'home/control'))).toEqual({
      ...{ code: 1, message: expect.stringContaining('home/control is what users of the holdout get') },
    });
    await experiment('create', 'ranking', '--surface', 'home', ...ARMS);
    await experiment('start', 'ranking');
    expect(messageOf(await earshot('surface', 'remove', 'home', '--force'))).toEqual({
      ...{ code: 1, message: expect.stringContaining('home has the experiment ranking: stop it') },
    });
  });

  test('restore the surfaces of a version, and leave experiments as they are', async () => {
    const { earshot, experiment, experiments, live } = await start();
    await experiment('create', 'ranking', '--surface', 'home', ...ARMS);
    await experiment('start', 'ranking');
    const { version } = (await live()).manifest;
    await experiment('restart', 'ranking');
    await experiment('stop', 'ranking');
    await experiment('holdout', '5');
    const before = await experiments();
    expect(await earshot('manifest', 'restore', String(version), '--why', 'a test')).toMatchObject({ code: 0 });
    expect(await experiments()).toEqual(before);
    expect((await live()).manifest.holdouts?.global).toEqual({ salt: 'holdout-1', share: 500 });
    await experiment('restart', 'ranking');
    expect((await experiments())?.ranking?.salt).toBe('ranking-3');
    expect(messageOf(await earshot('manifest', 'restore', '1', '--why', 'a test'))).toEqual({
      ...{ code: 1, message: expect.stringContaining('it has no home/knn, an arm of ranking: stop ranking first') },
    });
  });

  test('restore no arm of weight 0 whose lists are gone', async () => {
    const { earshot, experiment, live } = await start();
    await experiment('create', 'ranking', '--surface', 'home', ...ARMS);
    await experiment('start', 'ranking');
    await earshot('weight', 'home', 'control=100', 'knn=0');
    const { version } = (await live()).manifest;
    await experiment('stop', 'ranking');
    await earshot('variant', 'remove', 'home/knn');
    expect(await earshot('release', 'drop', releaseOf(MONDAY, 'knn'), '--why', 'a test')).toMatchObject({ code: 0 });
    await experiment('restart', 'ranking', '--arm', 'control=50');
    await experiment('stop', 'ranking');
    expect(await earshot('manifest', 'restore', String(version), '--why', 'a test')).toMatchObject({ code: 0 });
    await experiment('create', 'again', '--surface', 'home', ...ARMS);
    await experiment('start', 'again');
    expect(messageOf(await earshot('manifest', 'restore', String(version), '--why', 'a test'))).toEqual({
      ...{ code: 1, message: expect.stringMatching(/its lists are missing: home\/knn .* was dropped/) },
    });
  });
});

test('a change as JSON says what it moves, and a removed experiment is gone', async () => {
  const { experiment, experiments } = await start();
  await experiment('create', 'ranking', '--surface', 'home', '--size', '20', ...ARMS);
  const { stdout } = await experiment('start', 'ranking', '--dry-run', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ what: 'experiment start ranking', changed: true, dryRun: true, experiment: { state: 'running' } },
    ...{ sample: 100_000, moves: [{ from: 'home/control' }, { from: 'home/control' }] },
  });
  const holdout = JSON.parse((await experiment('holdout', '5', '--json')).stdout);
  expect(holdout.moves.home).toEqual([{ from: 'home/control', to: 'holdout/control', users: expect.any(Number) }]);
  expect((await experiment('remove', 'ranking')).stdout).toContain('ranking is removed');
  expect(await experiments()).toEqual({});
});

test('two changes at once: both are made, one after the other', async () => {
  const { experiment, experiments } = await start();
  await experiment('create', 'a', '--surface', 'home', '--size', '10', ...ARMS);
  await experiment('create', 'b', '--surface', 'home', '--size', '10', ...ARMS);
  expect(Object.values((await experiments()) ?? {}).map(({ slots }) => slots)).toEqual([
    [[0, 1_000]],
    [[1_000, 2_000]],
  ]);
});

describe('srm of a file', () => {
  const lineOf = (i: number, own: object = {}): string =>
    JSON.stringify({
      ...{
        id: `id-${i}`,
        atMs: 100 + i,
        hour: 500_000,
        userRef: `ref-${i}`,
        experiment: 'ranking',
        arm: i % 2 === 0 ? 'control' : 'knn',
      },
      ...{ salt: 'ranking-1', generation: 1, source: 'personal', reason: 'bucket', tier: 'isolate', ...own },
    });
  const startRanking = async () => {
    const instance = await start();
    await instance.experiment('create', 'ranking', '--surface', 'home', ...ARMS);
    return {
      ...instance,
      srm: (file: string) => instance.earshot('experiment', 'srm', 'ranking', '--file', file, '--json'),
    };
  };

  test('counts users of the experiment and its salt, and skips blank lines', async () => {
    const { srm, file } = await startRanking();
    const own = Array.from({ length: 10 }, (_, i) => lineOf(i));
    const other = [
      lineOf(20, { experiment: 'other' }),
      lineOf(21, { salt: 'ranking-0' }),
      lineOf(22, { reason: 'allowed' }),
    ];
    // A user on the allow list first, and then drawn; a user in two arms; a report that was archived twice.
    const seen = [lineOf(4, { reason: 'allowed', atMs: 1 }), lineOf(0, { arm: 'knn', id: 'crossed' }), lineOf(6)];
    const { code, stdout, stderr } = await srm(file('x.ndjson', ['', ...own, '  ', ...other, ...seen, ''].join('\n')));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      ...{
        users: 9,
        crossovers: 1,
        counts: [
          { arm: 'control', users: 4 },
          { arm: 'knn', users: 5 },
        ],
      },
    });
  });

  test.each([
    ['was cut', '{"id":"a', 'Unterminated string in JSON'],
    ['is no object', '7', 'Invalid input: expected object'],
    ['lacks a member', lineOf(2, { arm: undefined }), 'arm: Invalid input'],
  ])('names the line that %s', async (_case, line, reason) => {
    const { srm, file } = await startRanking();
    const path = file('x.ndjson', `${lineOf(1)}\n\n${line}\n`);
    expect(messageOf(await srm(path))).toEqual({
      ...{ code: 1, message: expect.stringContaining(`earshot: ${path}:3 is no exposure: ${reason}`) },
    });
  });

  test('is one error for a file that is missing', async () => {
    const { srm, directory } = await startRanking();
    const missing = `${directory}/none.ndjson`;
    expect(messageOf(await srm(missing))).toEqual({
      ...{ code: 1, message: expect.stringContaining(`expected ${missing} to be a readable file: ENOENT`) },
    });
  });
});
