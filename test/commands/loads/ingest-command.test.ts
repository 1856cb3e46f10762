// `earshot ingest`: lines with faults, the file of rejects, standard input, and loads that fail or are killed.
// Long, because all loads share one Bigtable.
import { existsSync, linkSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { spawnNode } from '../../../bench/rigs/local-cloud.ts';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import type { EmbeddedBigtable } from '../../../dev/bigtable/embedded-bigtable.ts';
import { toName } from '../../../shared/domain/ids.ts';
import { MONDAY, recordLoadOfOne, TIMEOUT_MS, TUESDAY, WEDNESDAY } from '../../contracts/origin/instance.ts';
import { eventually } from '../../support/waiting.ts';
import {
  ACCEPT_ALL,
  COMMAND,
  createCommandInstances,
  home,
  line,
  lines,
  messageOf,
  readLists as read,
  releaseOf,
} from '../support/command-instances.ts';
import { readStoredCells } from '../support/stored-cells.ts';

const { startServer, ...instances } = createCommandInstances({ inProcess: true });
const makeInstance = (server = shared) => instances.makeInstance(server);
const makeLiveInstance = (server = shared) => instances.makeLiveInstance(server);
let shared: EmbeddedBigtable;

beforeAll(async () => {
  shared = await startServer();
});

const ANY_SHARE = ['--max-reject-share', '100'];

describe('a load with a fault in it', () => {
  const tuesday = ['--generation', String(TUESDAY)];

  test('loads the other lines, names each bad one by file and line, and keeps it with its reason', async () => {
    const { address, directory, earshot, file, live, receipt } = await makeLiveInstance();
    const before = await live();
    const bad = [
      '{"user":"u:2"',
      '{"user":"u:3","items":[]}',
      '{"user":"~else","items":[{"id":"a","score":1}]}',
      line('u:1'),
    ];
    const path = file('mixed.ndjson', `${[line('u:1'), ...bad, line('u:9')].join('\n')}\n`);
    const rejects = join(directory, 'rejects.ndjson');
    const result = await earshot('ingest', path, ...home(), ...tuesday, '--rejects', rejects, ...ANY_SHARE);
    expect(result).toMatchObject({
      ...{ code: 0, stderr: expect.stringMatching(/4 lines not loaded, kept with the reasons in .*rejects\.ndjson/) },
    });
    for (const number of [2, 3, 4, 5]) expect(result.stderr).toContain(`mixed.ndjson:${number}: expected`.slice(0, 16));
    expect(
      readFileSync(rejects, 'utf8')
        .trimEnd()
        .split('\n')
        .map((each) => JSON.parse(each)),
    ).toEqual(
      bad.map((text, i) => ({ file: 'mixed.ndjson', line: i + 2, reason: expect.stringMatching(/expected/), text })),
    );
    expect(result.stderr).toContain('mixed.ndjson:5: expected each id once in a load, got u:1 again after line 1');
    expect(await receipt(TUESDAY)).toMatchObject({ state: 'loaded', lists: 2, rejected: 4 });
    expect((await read(address, TUESDAY, ['u:1', 'u:2', 'u:3', 'u:9'])).map((text) => text.length > 6)).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(await live()).toEqual(before);
    expect(await earshot('publish', releaseOf(TUESDAY), ...ACCEPT_ALL)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('4 lines of this load were rejected'),
    });
  });

  test('keeps the first list of a user that stands in two files, and names both places of the second', async () => {
    const { address, earshot, file, receipt } = await makeInstance();
    const other = `${line('u:1')}\n${line('u:2').replace('artist:1', 'artist:2')}\n${line('u:3')}\n`;
    const files = [file('a.ndjson', lines(1, 2)), file('b.ndjson.gz', gzipSync(other))];
    const result = await earshot('ingest', ...files, ...home(), ...tuesday, ...ANY_SHARE);
    expect(result).toMatchObject({ code: 0, stderr: expect.stringMatching(/2 lines not loaded/) });
    expect(result.stderr).toContain(
      'b.ndjson.gz:1: expected each id once in a load, got u:1 again after line 1 of a.ndjson',
    );
    expect(result.stderr).toContain(
      'b.ndjson.gz:2: expected each id once in a load, got u:2 again after line 2 of a.ndjson',
    );
    expect(await receipt(TUESDAY)).toMatchObject({ state: 'loaded', lists: 3, rejected: 2 });
    expect(await read(address, TUESDAY, ['u:2'])).toEqual([expect.stringContaining('artist:1')]);
  });

  const gzipped = gzipSync(lines(1, 500));
  test.each<[what: string, name: string, content: string | Buffer, message: RegExp]>([
    ['an empty file', 'empty.ndjson', '', /empty\.ndjson: expected at least one line, got an empty file/],
    ['a file of blank lines', 'blank.ndjson', '\n \n', /blank\.ndjson: expected at least one line/],
    [
      'a gzip cut short',
      'cut.gz',
      gzipped.subarray(0, gzipped.length - 20),
      /cut\.gz: expected a whole gzip file, got unex/,
    ],
    [
      'a Parquet file',
      'lists.parquet',
      'PAR1\u0015\u0004',
      /lists\.parquet: expected a whole Parquet file, got no index at its end/,
    ],
    ['all lines bad', 'bad.ndjson', 'x\ny\n', /expected at least one valid list/],
  ])(
    'with %s ends with exit code 1 and leaves nothing, because it wrote nothing',
    async (_what, name, content, message) => {
      const { earshot, file, live, receipt } = await makeLiveInstance();
      const before = await live();
      const files = [...(name === 'bad.ndjson' ? [] : [file('good.ndjson', lines(1, 3))]), file(name, content)];
      expect(messageOf(await earshot('ingest', ...files, ...home(), ...tuesday))).toEqual({
        code: 1,
        message: expect.stringMatching(message),
      });
      expect(await receipt(TUESDAY)).toBeUndefined();
      expect(await live()).toEqual(before);
    },
  );

  test('that breaks off after its first lists stays unfinished, and the same generation can be loaded at once', async () => {
    const { bigtable, earshot, file, live, receipt } = await makeLiveInstance();
    const before = await live();
    const whole = gzipSync(lines(1, 5000));
    const cut = await earshot('ingest', file('cut.gz', whole.subarray(0, whole.length - 20)), ...home(), ...tuesday);
    expect(messageOf(cut)).toEqual({
      code: 1,
      message: expect.stringMatching(
        /unexpected end of file .*; this load cannot go live; to load it again, pass --generation/,
      ),
    });
    expect(await receipt(TUESDAY)).toMatchObject({ state: 'loading' });
    // The users of the first attempt that the second does not have lose their lists.
    const other = file('other.gz', gzipSync(lines(4001, 5000)));
    expect(await earshot('ingest', other, ...home(), ...tuesday)).toMatchObject({ code: 0 });
    expect(await receipt(TUESDAY)).toMatchObject({ state: 'loaded', lists: 5000 });
    expect(await readStoredCells(bigtable, 'home/control')).toMatchObject({ count: 5001 });
    expect(await live()).toEqual(before);
  });

  test.each([
    ['missing', 'nothing.ndjson'],
    ['behind a file', 'good.ndjson/x'],
  ])('does not start if a file is %s: earlier loads can still be published', async (_what, name) => {
    const { address, bigtable, directory, earshot, file, live, receipt } = await makeLiveInstance();
    const load = { surface: toName('home'), variant: toName('control'), generation: TUESDAY };
    await recordLoadOfOne(bigtable, load);
    const before = await live();
    const files = [file('good.ndjson', lines(1, 3)), join(directory, name)];
    const result = await earshot('ingest', ...files, ...home(), ...tuesday);
    expect(messageOf(result)).toEqual({ code: 1, message: expect.stringMatching(/expected .* to be a readable file/) });
    expect(await receipt(TUESDAY)).toMatchObject({ generation: TUESDAY, state: 'loaded', lists: 1, rejected: 0 });
    expect(await read(address, WEDNESDAY, ['u:1'])).toEqual(['absent']);
    expect(await live()).toEqual(before);
    expect(await earshot('publish', releaseOf(TUESDAY), ...ACCEPT_ALL)).toMatchObject({ code: 0 });
  });

  test.each([['in the future', '2199-01-01T00:00:00Z', /is in the future/]])(
    'is not begun for a generation %s, unless it is forced',
    async (_what, generation, message) => {
      const { address, earshot, file, live, receipt } = await makeLiveInstance();
      const before = await live();
      const load = ['ingest', file('lists.ndjson', lines(1, 1)), ...home(), '--generation', generation];
      expect(messageOf(await earshot(...load))).toEqual({ code: 1, message: expect.stringMatching(message) });
      expect(await receipt(MONDAY)).toMatchObject({ lists: 1 });
      expect(await read(address, WEDNESDAY, ['u:1'])).toEqual(['absent']);
      expect(await live()).toEqual(before);
      expect(await earshot(...load, '--force')).toMatchObject({ code: 0, stderr: '' });
    },
  );
});

describe('the file of rejects', () => {
  const bad = `${line('u:1')}\nbad\n`;

  test('is never an input, by whatever name, and never an existing file', async () => {
    const { directory, earshot, file, receipt } = await makeInstance();
    const path = file('lists.ndjson', bad);
    const other = file('other.txt', 'mine');
    const [hard, symbolic, dangling] = ['hard', 'symbolic', 'dangling'].map((name) => join(directory, name));
    linkSync(path, hard ?? '');
    symlinkSync(path, symbolic ?? '');
    symlinkSync(join(directory, 'nothing'), dangling ?? '');
    for (const [rejects = '', reason] of [
      [path, 'which is the input'],
      [relative(process.cwd(), path), 'which is the input'],
      [hard, 'which is the input'],
      [symbolic, 'which is the input'],
      [dangling, 'which exists'],
      [other, 'which exists'],
      [directory, 'which exists'],
    ]) {
      const result = await earshot('ingest', path, ...home(), '--generation', String(MONDAY), '--rejects', rejects);
      expect(messageOf(result)).toEqual({ code: 2, message: expect.stringContaining(`got ${rejects}, ${reason}`) });
    }
    expect([readFileSync(path, 'utf8'), readFileSync(other, 'utf8')]).toEqual([bad, 'mine']);
    expect(existsSync(join(directory, 'nothing'))).toBe(false);
    expect(await receipt(MONDAY)).toBeUndefined();
    const toNull = await earshot('ingest', path, ...home(), '--generation', String(MONDAY), '--rejects', '/dev/null');
    expect(messageOf(toNull).message).toContain('of the lines to be invalid, got 1 line of');
  });

  test('of a second run has a name of its own', async () => {
    const { directory, earshot, file, receipt } = await makeInstance();
    const load = [...home(), '--generation', String(MONDAY)];
    await earshot('ingest', file('a.ndjson', bad), ...load);
    // It was refused before it had a whole batch, so it left nothing.
    expect(await receipt(MONDAY)).toBeUndefined();
    const second = await earshot('ingest', file('b.ndjson', 'worse\n'), ...load);
    expect(messageOf(second).message).toContain(`home.control.${MONDAY}-2.ndjson`);
    const rejects = join(directory, 'state', 'rejects');
    expect(readdirSync(rejects).sort()).toEqual([`home.control.${MONDAY}-2.ndjson`, `home.control.${MONDAY}.ndjson`]);
    expect(JSON.parse(readFileSync(join(rejects, `home.control.${MONDAY}.ndjson`), 'utf8'))).toMatchObject({
      text: 'bad',
    });
  });
});

describe('standard input', () => {
  test.each([
    ['plain', Buffer.from(lines(1, 3))],
    [
      'gzipped, with zero bytes between its members',
      Buffer.concat([gzipSync(lines(1, 1)), Buffer.alloc(9), gzipSync(lines(2, 2))]),
    ],
  ])('is loaded as -, %s', async (_what, content) => {
    const { env, receipt } = await makeInstance();
    const { child, output, exited } = spawnNode(
      [COMMAND, 'ingest', '-', ...home(), '--generation', String(MONDAY)],
      env,
    );
    child.stdin.end(content);
    expect(await exited, output.stderr).toBe(0);
    expect(await receipt(MONDAY)).toMatchObject({ state: 'loaded', lists: 3 });
  });

  test('that is cut short is an error with its offset, while the pipe is still open', async () => {
    const { env, receipt } = await makeInstance();
    const { child, output, exited } = spawnNode(
      [COMMAND, 'ingest', '-', ...home(), '--generation', String(MONDAY)],
      env,
    );
    child.stdin.write(Buffer.concat([gzipSync(lines(1, 3)), Buffer.from('rest of another file')]));
    expect(await exited).toBe(1);
    child.stdin.destroy();
    expect(output.stderr).toMatch(
      /standard input: expected a whole gzip file, got incorrect header check in bytes \d+ to \d+/,
    );
    expect(await receipt(MONDAY)).toBeUndefined();
  });
});

describe('loads one after the other', () => {
  const attempt = (generation: number) => [...home(), '--generation', String(generation)];

  test('work after failed loads that wrote nothing, and after a roll-back and a failed load', async () => {
    const { earshot, file, receipt } = await makeLiveInstance();
    const [good, bad] = [file('good.ndjson', lines(1, 2)), file('bad.ndjson', 'x\n')];
    const day = 86_400_000;
    for (const generation of [TUESDAY, WEDNESDAY, WEDNESDAY + day]) {
      expect(messageOf(await earshot('ingest', bad, ...attempt(generation))).code).toBe(1);
      expect(await receipt(generation)).toBeUndefined();
    }
    expect(await earshot('ingest', good, ...attempt(TUESDAY))).toMatchObject({ code: 0, stderr: '' });
    expect(await earshot('publish', releaseOf(TUESDAY), ...ACCEPT_ALL)).toMatchObject({ code: 0 });
    expect(await earshot('rollback', 'home/control', '--why', 'bad lists')).toMatchObject({ code: 0 });
    expect(messageOf(await earshot('ingest', bad, ...attempt(WEDNESDAY))).code).toBe(1);
    expect(await earshot('ingest', good, ...attempt(WEDNESDAY + day))).toMatchObject({ code: 0, stderr: '' });
  });

  test('that Bigtable refuses leave nothing', async () => {
    const server = await startServer();
    const { bigtable, earshot, file, receipt } = await makeLiveInstance(server);
    const tableAdmin = await bigtable.tableAdmin();
    const name = bigtable.tableName('recommendations');
    await tableAdmin.deleteTable({ name }, { timeout: TIMEOUT_MS });
    const result = await earshot('ingest', file('lists.ndjson', lines(1, 2500)), ...attempt(TUESDAY));
    expect(messageOf(result)).toEqual({ code: 1, message: expect.stringContaining('Table not found') });
    expect(await receipt(TUESDAY)).toBeUndefined();
  });

  test('of one generation at once: exactly one succeeds', async () => {
    const { earshotAlone, file, receipt } = await makeLiveInstance();
    const files = Array.from({ length: 4 }, (_, i) => file(`${i}.ndjson`, lines(1, 1000 + i)));
    const results = await Promise.all(files.map((path) => earshotAlone('ingest', path, ...attempt(TUESDAY))));
    const winners = results.flatMap(({ code }, i) => (code === 0 ? [i] : []));
    expect(winners).toHaveLength(1);
    for (const result of results.filter(({ code }) => code !== 0)) {
      expect(messageOf(result).message).toMatch(/is running|at the same moment|is loaded already/);
    }
    expect(await receipt(TUESDAY)).toMatchObject({ state: 'loaded', lists: 1000 + (winners[0] ?? 0) });
  });
});

test('a killed load is recognised and can be repeated', async () => {
  const clock = createManualClock();
  const server = await startServer({ clock });
  const { address, earshot, env, file, live, receipt } = await makeLiveInstance(server);
  const before = await live();
  const load = ['ingest', file('lists.ndjson', lines(1, 6000)), ...home(), '--generation', String(TUESDAY)];
  const callsBefore = server.counters('asia').calls.CheckAndMutateRow ?? 0;
  server.setFault('asia', { latencyMs: 1000 });
  const loader = spawnNode([COMMAND, ...load], env);
  const called = (method: string, calls: number) =>
    eventually(() => {
      const seen = server.counters('asia').calls;
      if (clock.pending() > 0 && seen.MutateRows === undefined) clock.advance(1000);
      expect(seen[method] ?? 0).toBeGreaterThanOrEqual(calls);
    });
  // 1. All calls before the first batches of lists are answered. 2. Four batches are in flight. 3. They are answered,
  // and a fifth is in flight.
  await called('CheckAndMutateRow', callsBefore + 1);
  await called('MutateRows', 4);
  clock.advance(1000);
  await called('MutateRows', 5);
  loader.child.kill('SIGKILL');
  expect(await loader.exited).toBeNull();
  server.setFault('asia', {});

  expect(await read(address, TUESDAY, ['u:1', 'u:6000'])).toEqual([expect.stringContaining('for:u:1'), 'absent']);
  expect(await receipt(TUESDAY)).toMatchObject({ state: 'loading' });
  expect(messageOf(await earshot('publish', releaseOf(TUESDAY), ...ACCEPT_ALL))).toEqual({
    code: 1,
    message: expect.stringMatching(/got home\/control@20.*, whose load did not finish; load it again/),
  });
  expect(await live()).toEqual(before);

  expect(messageOf(await earshot(...load))).toEqual({
    code: 1,
    message: expect.stringMatching(
      /another load of home\/control@20.* is running \(.*, process \d+; last seen \d+ s ago\)/,
    ),
  });
  const dropped = await earshot('release', 'drop', releaseOf(TUESDAY), '--why', 'killed');
  expect(messageOf(dropped)).toEqual({
    code: 1,
    message: expect.stringMatching(/is running .*: wait for its end; a claim ends 60 s after its process/),
  });
  const again = await earshot(...load, '--take-over');
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('6 000 lists') });
  expect(await earshot('publish', releaseOf(TUESDAY), ...ACCEPT_ALL)).toMatchObject({ code: 0 });
  expect((await live()).manifest.surfaces.home?.variants[0]?.current).toBe(TUESDAY);
});
