// `earshot release adopt`: lists of another engine become a release only if they are whole, in their place and valid.
import { beforeAll, describe, expect, test } from 'vitest';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { claimLoad } from '../../ops/bigtable/load-claim.ts';
import { type ReleaseRecord, readRecord, updateRecord, withTransition } from '../../ops/bigtable/release-record.ts';
import { makeUserRef } from '../../ops/cli/user-ref.ts';
import { beginErasure } from '../../ops/effects/erasure-record.ts';
import { addToKeepOut } from '../../ops/effects/keep-out.ts';
import { toName } from '../../shared/domain/ids.ts';
import { decodeListFrames } from '../../shared/wire/read-response.ts';
import { controlOf, MONDAY, TIMEOUT_MS, TUESDAY } from '../contracts/origin/instance.ts';
import { runOrigin } from '../contracts/origin/running-origin.ts';
import { makeRandomSecret } from '../support/random-secret.ts';
import { createCommandInstances, home, messageOf, readLists, releaseOf } from './support/command-instances.ts';
import { type EngineCell, type EnginePlace, engineCells, writeAsEngine } from './support/other-engine.ts';

const { makeInstance, startServer } = createCommandInstances({ inProcess: true });
const WHY = ['--why', 'written by Dataflow'];
const LISTS = 2_000;
const monday = { surface: toName('home'), variant: toName('control'), generation: MONDAY };
let server: EmbeddedBigtable;

beforeAll(async () => {
  server = await startServer();
});

async function start() {
  const instance = await makeInstance(server);
  const { bigtable, earshot } = instance;
  const control = controlOf(bigtable);
  return {
    ...instance,
    control,
    write: (cells: readonly EngineCell[], place: Partial<EnginePlace> = {}) =>
      writeAsEngine(bigtable, cells, { timestampMs: MONDAY, ...place }),
    adopt: (lists: number, ...more: string[]) => adoptAt(MONDAY, lists, ...more),
    adoptAt,
    record: async (generation = MONDAY) => (await readRecord(control, { ...monday, generation }))?.record,
  };

  function adoptAt(generation: number, lists: number, ...more: string[]) {
    const flags = ['--generation', String(generation), '--expect-lists', String(lists), ...more];
    return earshot('release', 'adopt', 'home/control', ...flags);
  }
}

describe('a whole load', () => {
  test('is adopted, checked, published, read through an origin, rolled back and dropped', async () => {
    const { adoptAt, address, earshot, record, write } = await start();
    for (const [day, generation] of [MONDAY, TUESDAY].entries()) {
      await write(engineCells(LISTS, day), { timestampMs: generation });
      const adopted = await adoptAt(generation, LISTS, ...WHY, '--as', 'ops@example');
      expect(adopted, adopted.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('is adopted') });
      expect(await record(generation)).toMatchObject({ state: 'loaded', lists: LISTS, rejected: 0 });
      const checked = await earshot('check', releaseOf(generation));
      expect(checked, checked.stdout).toMatchObject({ code: 0 });
      const published = await earshot('publish', releaseOf(generation));
      expect(published, published.stderr).toMatchObject({ code: 0 });
    }
    expect((await earshot('releases', 'home')).stdout).toMatch(/live/);
    expect((await earshot('history', 'home')).stdout).toMatch(
      /loaded .*ops@example, adopt, process \d+.*written by Dataflow/,
    );

    const origin = await runOrigin({ address });
    const key = { surface: 'home', variant: 'control', generation: TUESDAY, user: 'u:7' };
    const response = await origin.readLists([key]);
    const [frame] = decodeListFrames(new Uint8Array(await response.arrayBuffer()), 1);
    expect(frame).toMatchObject({ kind: 'list', generation: TUESDAY });
    const bytes = frame?.kind === 'list' ? Buffer.from(frame.bytes).toString() : '';
    expect(bytes).toBe(engineCells(LISTS, 1)[7]?.value);

    expect(await earshot('rollback', 'home/control', ...WHY)).toMatchObject({ code: 0 });
    expect(await earshot('release', 'drop', releaseOf(TUESDAY), ...WHY)).toMatchObject({
      ...{ code: 0, stdout: expect.stringContaining('2 000 lists deleted') },
    });
    expect(await readLists(address, MONDAY, ['u:7'])).toEqual([engineCells(LISTS)[7]?.value]);
  });

  test('has the summary that our own load of the same lists has', async () => {
    const { adopt, earshot, file, record, write } = await start();
    const cells = engineCells(300);
    await write(cells);
    expect(await adopt(300)).toMatchObject({ code: 0 });
    const adopted = await record();
    const lines = cells.map(({ value }, user) => `{"user":"u:${user}","items":[${value.replaceAll(',\n', ',')}]}\n`);
    const path = file('lists.ndjson', lines.join(''));
    expect(await earshot('ingest', path, ...home(), '--generation', String(TUESDAY))).toMatchObject({ code: 0 });
    expect((await record(TUESDAY))?.summary).toEqual(adopted?.summary);
    expect(adopted?.summary).toMatchObject({ lists: 300, rejects: 0, items: { p50: 10, p99: 10, max: 10 } });
  });

  test('is only judged by a dry run, which prints the counts and writes nothing', async () => {
    const { adopt, record, write } = await start();
    await write(engineCells(LISTS));
    const result = await adopt(LISTS, '--dry-run', '--json');
    expect(result, result.stderr).toMatchObject({ code: 0 });
    const printed = JSON.parse(result.stdout) as { shards: { prefixes: string; lists: number }[] };
    expect(printed).toMatchObject({ verdict: 'would be adopted', reasons: [], expected: LISTS, found: LISTS });
    expect(printed.shards.map(({ prefixes }) => prefixes)).toEqual([...'0123456789abcdef'].map((x) => `${x}0-${x}f`));
    expect(printed.shards.reduce((sum, { lists }) => sum + lists, 0)).toBe(LISTS);
    expect(await record()).toBeUndefined();
  });

  test('is checked on the same sample each time', async () => {
    const { adopt, write } = await start();
    await write(engineCells(LISTS));
    const runs = [
      await adopt(LISTS, '--dry-run', '--sample', '200', '--json'),
      await adopt(LISTS, '--sample', '200', '--json'),
    ];
    const [first, second] = runs.map(({ stdout }) => (JSON.parse(stdout) as { sampled: number }).sampled);
    expect(second).toBe(first);
    expect(first).toBeGreaterThan(150);
    expect(first).toBeLessThan(250);
  });
});

describe('a load that is not whole', () => {
  test('with one shard missing is refused, and the message names the shard', async () => {
    const { adopt, record, write } = await start();
    const cells = engineCells(LISTS).filter(({ rowKey }) => !rowKey.startsWith('3'));
    await write(cells);
    const { code, message } = messageOf(await adopt(LISTS));
    expect(code).toBe(3);
    expect(message).toMatch(/is not adopted, and nothing is recorded: expected 2 000 lists, got 1 8\d\d: /);
    expect(message).toMatch(/: one shard missing: 30-3f has 0, the median is 1\d\d$/);
    expect(await record()).toBeUndefined();
  });

  test('with lists missing from everywhere is refused, and so is one with too many', async () => {
    const { adopt, record, write } = await start();
    await write(engineCells(LISTS - 50));
    expect(messageOf(await adopt(LISTS))).toEqual({
      ...{ code: 3, message: expect.stringContaining('got 1 950: no shard of the row key is short') },
    });
    expect(messageOf(await adopt(LISTS - 100))).toEqual({
      ...{
        code: 3,
        message: expect.stringContaining('expected 1 900 lists, got 1 950: it was written more than once'),
      },
    });
    expect(await record()).toBeUndefined();
  });
});

describe('lists in another place', () => {
  test.each([
    ['no timestamp', () => Date.now(), /other timestamps: 20\S+Z \(about now: the engine set no timestamp\)$/],
    [
      'microseconds for milliseconds',
      () => MONDAY * 1000,
      /\d+ µs \(the generation in microseconds, .* divide by 1000/,
    ],
    ['another day', () => TUESDAY, new RegExp(`have other timestamps: ${new Date(TUESDAY).toISOString()}$`)],
  ])('with %s are refused, and the message has their timestamps', async (_what, timestampMs, words) => {
    const { adopt, record, write } = await start();
    await write(engineCells(100), { timestampMs: timestampMs() });
    const { code, message } = messageOf(await adopt(100));
    expect(code).toBe(3);
    expect(message).toMatch(/expected 100 lists, got 0: /);
    expect(message).toMatch(words);
    expect(await record()).toBeUndefined();
  });

  test('in another family are refused, and the message names it', async () => {
    const { adopt, bigtable, record, write } = await start();
    const name = bigtable.tableName('recommendations');
    const modifications = [{ id: 'cf', create: {} }];
    await (await bigtable.tableAdmin()).modifyColumnFamilies({ name, modifications }, { timeout: TIMEOUT_MS });
    await write(engineCells(100), { family: 'cf' });
    expect(messageOf(await adopt(100))).toEqual({
      code: 3,
      message: expect.stringContaining(
        'got 0: the same qualifier is in another family: cf:home/control, not l:home/control',
      ),
    });
    expect(await record()).toBeUndefined();
  });

  test('in another qualifier are refused, and the message names it, beside a recorded release', async () => {
    const { adopt, adoptAt, record, write } = await start();
    await write(engineCells(100), { timestampMs: TUESDAY });
    expect(await adoptAt(TUESDAY, 100)).toMatchObject({ code: 0 });
    await write(engineCells(100), { qualifier: 'home:control' });
    expect(messageOf(await adopt(100))).toEqual({
      code: 3,
      message: expect.stringContaining('a similar qualifier is in the table: l:home:control, not l:home/control'),
    });
    expect(await record()).toBeUndefined();
  });
});

describe('lists that our own load would not write', () => {
  const [good = { rowKey: '', value: '' }] = engineCells(1);
  const withValue = (value: string): EngineCell => ({ ...good, value });

  test.each([
    ['a row key without a hash', { ...good, rowKey: 'u:0' }, 'expected a row key of 4 hex digits, # and a user id'],
    [
      'the hash of another user',
      { ...good, rowKey: '0000#u:0' },
      `expected the row key ${good.rowKey} for the user u:0`,
    ],
    ['no user', { ...good, rowKey: '0000#a/b' }, 'expected a user id behind the #, got "a/b"'],
    ['items without a newline', withValue(good.value.replaceAll(',\n', ',')), 'expected the stored form'],
    ['brackets', withValue(`[${good.value}]`), 'expected'],
    ['101 items', withValue(Array(101).fill('{"id":"a","score":1}').join(',\n')), 'items: expected 1 to 100 items'],
    ['no item', withValue(''), 'items: expected 1 to 100 items'],
    ['a score as text', withValue('{"id":"a","score":"1"}'), 'items.0.score: expected number, got "1"'],
    ['another id', withValue('{"id":"a b","score":1}'), 'items.0.id: expected an item id'],
    ['another field', withValue('{"id":"a","score":1,"x":2}'), 'Unrecognized key: "x"'],
    ['spaces', withValue('{"id": "a", "score": 1}'), 'expected the stored form'],
    ['another end', withValue('{"id":"a","score":1}],"items":[{"id":"b","score":1}'), 'items'],
  ])('with %s are refused', async (_what, cell, reason) => {
    const { adopt, record, write } = await start();
    await write([...engineCells(100).slice(1), cell]);
    const { code, message } = messageOf(await adopt(100));
    expect(code).toBe(3);
    expect(message).toContain(`1 fault in 100 row keys and 100 sampled lists, first ${cell.rowKey}: `);
    expect(message).toContain(reason);
    expect(await record()).toBeUndefined();
  });

  test('are named by row key, the first ten of them', async () => {
    const { adopt, write } = await start();
    const cells = engineCells(100);
    await write(cells.map((cell, i) => (i % 4 === 0 ? { ...cell, value: 'x' } : cell)));
    const faulty = cells.filter((_, i) => i % 4 === 0).map(({ rowKey }) => rowKey);
    const { code, stdout, stderr } = await adopt(100);
    expect(code).toBe(3);
    expect(
      stdout
        .split('\n')
        .filter((each) => each.startsWith('  '))
        .map((each) => each.split(': ')[0]?.trim()),
    ).toEqual(faulty.sort().slice(0, 10));
    expect(stderr).toContain('25 faults in 100 row keys');
  });
});

describe('a generation that is not free', () => {
  test('is refused if it has a release, whatever its state', async () => {
    const { adoptAt, earshot, record, write } = await start();
    const refused = async (generation: number, state: string): Promise<void> => {
      const before = await record(generation);
      expect(messageOf(await adoptAt(generation, 100))).toEqual({
        code: 1,
        message: `earshot: expected a generation without a release to adopt, got home/control@${new Date(generation).toISOString()}, which is ${state}`,
      });
      expect(await record(generation)).toEqual(before);
    };
    for (const generation of [MONDAY, TUESDAY]) {
      await write(engineCells(100), { timestampMs: generation });
      expect(await adoptAt(generation, 100)).toMatchObject({ code: 0 });
      await refused(generation, 'loaded');
    }
    expect(await earshot('publish', releaseOf(MONDAY))).toMatchObject({ code: 0 });
    await refused(MONDAY, 'live');
    expect(await earshot('release', 'block', releaseOf(TUESDAY), ...WHY)).toMatchObject({ code: 0 });
    await refused(TUESDAY, 'blocked');
  });

  test('is refused while a load runs, and in the future, without advice that adopt does not take', async () => {
    const { adopt, adoptAt, control, record, write } = await start();
    await write(engineCells(100));
    const claim = await claimLoad(control, monday, { by: 'ops', add: false, takeOver: false });
    const { code, message } = messageOf(await adopt(100));
    expect(code).toBe(1);
    expect(message).toMatch(
      /another load of .* is running \(ops; last seen \d+ s ago\): wait for its end; a claim ends/,
    );
    await claim.abandon(false);
    expect(await record()).toBeUndefined();
    const late = messageOf(await adoptAt(Date.now() + 3 * 86_400_000, 100));
    expect(late).toEqual({ code: 1, message: expect.stringMatching(/^earshot: generation \S+ is in the future$/) });
  });

  test('is free again once its lists were dropped, but not while a drop has left some', async () => {
    const { adopt, control, earshot, record, write } = await start();
    await write(engineCells(100));
    expect(await adopt(100)).toMatchObject({ code: 0 });
    const drop = { to: 'dropped', by: 'ops', atMs: MONDAY };
    await updateRecord(control, monday, (found) => withTransition(found as ReleaseRecord, drop));
    expect(messageOf(await adopt(100))).toEqual({
      ...{ code: 1, message: expect.stringContaining('which is dropped in part: repeat `npx earshot release drop`') },
    });
    expect(await earshot('release', 'drop', releaseOf(MONDAY), ...WHY)).toMatchObject({ code: 0 });
    await write(engineCells(100));
    expect(await adopt(100)).toMatchObject({ code: 0 });
    expect((await record())?.transitions.map(({ to }) => to)).toEqual([
      'loading',
      'loaded',
      'dropped',
      'loading',
      'loaded',
    ]);
  });
});

test('lists of users who were erased since the generation may be missing, and no others', async () => {
  const { adopt, control, record, write } = await start();
  const cells = engineCells(LISTS);
  await write(cells.slice(3));
  const erasure = { format: 1, state: 'done', refs: [], keepOut: false, by: 'ops', why: 'asked', pendingRegions: [] };
  const erase = (id: string, users: number, finalMs: number) =>
    beginErasure(control, id, { ...erasure, state: 'done', users, sinceMs: finalMs - 1, finalMs }, []);
  await erase('before', 5, MONDAY - 1);
  expect(messageOf(await adopt(LISTS))).toMatchObject({ code: 3 });
  await erase('after', 2, MONDAY + 1);
  expect(messageOf(await adopt(LISTS))).toMatchObject({ code: 3 });
  expect(await record()).toBeUndefined();
  await erase('later', 1, MONDAY + 2);
  expect(await adopt(LISTS)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('3 lists fewer than expected: up to 3 users erased since the generation\n'),
  });
  expect(await record()).toMatchObject({ lists: LISTS - 3 });
});

test('a load whose users are all kept out is a release without lists', async () => {
  const { control, earshot, env, file, record } = await start();
  const hashKey = makeRandomSecret();
  await addToKeepOut(control, ['u:3'].map(makeUserRef(hashKey)), { by: 'ops', why: 'asked' });
  Object.assign(env, { EARSHOT_HASH_KEY: hashKey });
  const path = file('one.ndjson', '{"user":"u:3","items":[{"id":"a","score":1}]}\n');
  expect(await earshot('ingest', path, ...home(), '--generation', String(MONDAY))).toMatchObject({
    ...{ code: 0, stdout: expect.stringContaining('1 line dropped: their users are kept out') },
  });
  expect(await record()).toMatchObject({ state: 'loaded', lists: 0 });
});

test('lists of users that are kept out are deleted, and are no part of the release', async () => {
  const { adopt, address, control, env, record, write } = await start();
  const hashKey = makeRandomSecret();
  await addToKeepOut(control, ['u:3', 'u:5', 'u:none'].map(makeUserRef(hashKey)), { by: 'ops', why: 'asked' });
  await write(engineCells(100));
  expect(messageOf(await adopt(100))).toEqual({ code: 2, message: expect.stringContaining('EARSHOT_HASH_KEY') });
  expect(await record()).toBeUndefined();
  Object.assign(env, { EARSHOT_HASH_KEY: hashKey });
  expect((await adopt(100, '--dry-run')).stdout).toContain('2 lists would be deleted: their users are kept out');
  expect(await readLists(address, MONDAY, ['u:3'])).not.toEqual(['absent']);
  expect(await adopt(100)).toMatchObject({
    ...{ code: 0, stdout: expect.stringContaining('2 lists deleted: their users are kept out') },
  });
  expect(await readLists(address, MONDAY, ['u:3', 'u:5'])).toEqual(['absent', 'absent']);
  expect(await record()).toMatchObject({ lists: 98, summary: { lists: 98 } });
});
