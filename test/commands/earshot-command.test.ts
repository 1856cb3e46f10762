// A day of operations with the `earshot` command: schema, loads, publications, and the lists that are live
// afterwards. A refused publication reports one reason and leaves the live generations unchanged.
import { gzipSync } from 'node:zlib';
import { jwtVerify } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { spawnNode } from '../../bench/rigs/local-cloud.ts';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { toName } from '../../shared/domain/ids.ts';
import {
  CLUSTERS,
  MONDAY,
  manifestOf,
  REGIONS,
  recordLoadOfOne,
  TIMEOUT_MS,
  TUESDAY,
} from '../contracts/origin/instance.ts';
import { runInProcess } from '../support/earshot/command-in-process.ts';
import { eventuallySeldom } from '../support/waiting.ts';
import {
  ACCEPT_ALL,
  COMMAND,
  createCommandInstances,
  home,
  itemsOf,
  line,
  lines,
  messageOf,
  readLists as read,
  releaseOf,
} from './support/command-instances.ts';

const TOKEN_SECRET = 'listener-secret-for-tests-only-0123456789';
const clusters = Object.entries(CLUSTERS)
  .map((pair) => pair.join('='))
  .join(',');

const { startServer, ...instances } = createCommandInstances({ inProcess: true });
const makeEmptyInstance = (server = shared) => instances.makeEmptyInstance(server);
const makeInstance = (server = shared) => instances.makeInstance(server);
const makeLiveInstance = (server = shared) => instances.makeLiveInstance(server);
let shared: EmbeddedBigtable;

beforeAll(async () => {
  shared = await startServer();
});

describe('a day of ops', () => {
  test('the schema is shown, applied and left alone', async () => {
    const { bigtable, earshot } = makeEmptyInstance();
    const apply = ['schema', 'apply', '--clusters', clusters];
    const shown = await earshot(...apply, '--dry-run');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain(
      'table recommendations, family l, newest 6 versions, none older than 30 days: would be created\n',
    );
    const tableAdmin = await bigtable.tableAdmin();
    const [tables] = await tableAdmin.listTables({ parent: bigtable.instanceName }, { timeout: TIMEOUT_MS });
    expect(tables).toEqual([]);
    const outcomes = async () =>
      (await earshot(...apply)).stdout
        .trim()
        .split('\n')
        .map((each) => each.split(': ')[1]);
    expect(await outcomes()).toEqual([...Array(13).fill('created'), expect.stringMatching(/^updated, was/)]);
    expect(await outcomes()).toEqual(Array(14).fill('unchanged'));
  });

  test('the age of lists comes from the flag, else from the variable, and a changed rule is shown with the one before', async () => {
    const { earshot, env } = makeEmptyInstance();
    const apply = ['schema', 'apply', '--clusters', clusters];
    expect(await earshot(...apply)).toMatchObject({ code: 0 });
    expect((await earshot(...apply, '--list-max-age-days', '400')).stdout).toContain(
      'table recommendations, family l, newest 6 versions, none older than 400 days: updated, was newest 6 versions, none older than 30 days\n',
    );
    const withVariable = { ...env, EARSHOT_LIST_MAX_AGE_DAYS: '7' };
    expect((await runInProcess(apply, withVariable)).stdout).toContain('none older than 7 days: left, was');
    const destructive = [...apply, '--allow-destructive'];
    expect((await runInProcess(destructive, withVariable)).stdout).toContain('none older than 7 days: updated, was');
    expect(await runInProcess(apply, { ...env, EARSHOT_LIST_MAX_AGE_DAYS: '0' })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        'expected EARSHOT_LIST_MAX_AGE_DAYS to be a whole number from 1 to 3650, got "0"',
      ),
    });
  });

  test('lists are loaded from plain and gzipped files, made live, moved on over a ramp, and shown', async () => {
    const { address, earshot, env, file, live } = await makeInstance();
    expect((await earshot('manifest', 'show')).stdout).toBe('Nothing is published yet.\n');
    const files = [
      file('a.ndjson', lines(1, 2)),
      file('b.ndjson.gz', gzipSync(lines(3, 2000))),
      file('c.ndjson', `\n${line('~popular')}\r\n\n`),
    ];
    const loaded = await earshot('ingest', ...files, ...home(), '--generation', formatGeneration(MONDAY));
    expect(loaded).toMatchObject({ code: 0, stdout: expect.stringContaining('2 003 lists from 3 files') });
    const stored = (user: string) => itemsOf(user).replace('},{', '},\n{');
    const users = ['u:1', 'u:2', 'u:3', 'u:2002', '~popular'];
    expect(await read(address, MONDAY, users)).toEqual(users.map(stored));
    expect((await live()).cell).toBeUndefined();

    const publish = /earshot (publish home\/control@\S+)/.exec(loaded.stdout)?.[1] ?? '';
    const shown = await earshot(...publish.split(' '), '--dry-run');
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('would be live (version 1)\nhome, salt home-1'),
    });
    expect((await live()).cell).toBeUndefined();
    expect(await earshot(...publish.split(' '))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`home/control@${formatGeneration(MONDAY)} is live (version 1)\n`),
    });
    expect((await live()).manifest).toMatchObject(manifestOf(1));
    const after = await live();
    expect((await earshot(...publish.split(' '))).stdout).toContain('is live already: no change (version 1)');
    expect(await live()).toEqual(after);

    await earshot('ingest', file('d.ndjson', lines(1, 1)), ...home(), '--generation', String(TUESDAY));
    const publishing = spawnNode([COMMAND, 'publish', releaseOf(TUESDAY), '--ramp', '10m', ...ACCEPT_ALL], env);
    await eventuallySeldom(async () => expect((await live()).manifest.version).toBe(2));
    const { manifest, cell } = await live();
    expect(manifest.surfaces.home?.variants).toEqual([
      {
        name: 'control',
        weight: 10_000,
        current: TUESDAY,
        previous: MONDAY,
        lineage: [TUESDAY, MONDAY],
        flip: { startsAtMs: cell?.writtenAtMs, durationMs: 600_000 },
      },
    ]);
    const show = await earshot('manifest', 'show', '--json');
    expect([show.code, JSON.parse(show.stdout)]).toEqual([0, manifest]);
    expect((await earshot('manifest', 'show')).stdout).toMatch(
      /^version 2, written .*Z: publish home\/control@20.*Z by .*@.*\nhome, salt home-1, .*\n {2}control {2}100\.0 % {2}20.*\(before: 20.*, flip \d+ % done\)\n$/,
    );
    // Another command ends the ramp, and the publication with it.
    expect(await earshot('ramp', 'finish', 'home/control')).toMatchObject({ code: 0 });
    expect(await publishing.exited).toBe(0);
    expect(JSON.parse((await earshot('releases', 'home', '--json')).stdout)).toMatchObject([
      { release: `home/control@${formatGeneration(MONDAY)}`, state: 'backup' },
      { release: `home/control@${formatGeneration(TUESDAY)}`, state: 'live' },
    ]);
  });

  test('two variants published at once are both live: neither writer undoes the other', async () => {
    const { bigtable, earshotAlone, live } = await makeLiveInstance();
    for (const variant of ['knn', 'als']) {
      const load = { surface: toName('home'), variant: toName(variant), generation: MONDAY };
      await recordLoadOfOne(bigtable, load);
    }
    const results = await Promise.all([
      earshotAlone('publish', releaseOf(MONDAY, 'knn'), '--weight', '1000'),
      earshotAlone('publish', releaseOf(MONDAY, 'als'), '--weight', '500'),
    ]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    const { version, surfaces } = (await live()).manifest;
    expect(version).toBe(3);
    const weights = surfaces.home?.variants.map(({ name, weight }) => [name, weight]) ?? [];
    expect(Object.fromEntries(weights)).toEqual({ control: 10_000, knn: 1000, als: 500 });
  });

  test('items are loaded as they stand', async () => {
    const { bigtable, earshot, file } = await makeInstance();
    const item = '{"id":"artist:1", "name":"MALICE MIZER","listeners":3}';
    expect(await earshot('ingest', '--items', file('items.ndjson', `${item}\n`))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 item from 1 file'),
    });
    const tableName = bigtable.tableName('items');
    const chunks: string[] = [];
    const stream = (await bigtable.data()).readRows({ tableName }, { timeout: TIMEOUT_MS });
    for await (const { chunks: all } of stream) {
      for (const { value } of all) chunks.push(String(value));
    }
    expect(chunks).toEqual([item]);
  });

  test('a token names its user, its scopes, its audience and its end, and is signed with the secret', async () => {
    const { env } = makeEmptyInstance();
    const args = [
      'token',
      '--user',
      'lastfm:2',
      '--scope',
      'recs:debug',
      '--scope',
      'recs:preview',
      '--expires',
      '10m',
    ];
    const { code, stdout } = await runInProcess(args, { ...env, EARSHOT_TOKEN_SECRET: TOKEN_SECRET });
    expect(code).toBe(0);
    const { payload } = await jwtVerify(stdout.trim(), Buffer.from(TOKEN_SECRET));
    expect(payload).toMatchObject({ sub: 'lastfm:2', aud: 'earshot', scope: 'recs:debug recs:preview' });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600);
  });
});

describe('a publication that may not be', () => {
  test.each<[what: string, args: string[], message: RegExp]>([
    [
      'a generation never loaded',
      [releaseOf(TUESDAY)],
      /expected a release that was loaded, got home\/control@20.*Z, which was never loaded \(known are 20/,
    ],
    [
      'an unknown surface',
      ['hime/control'],
      /expected a loaded release of hime\/control that is newer than the live one, got none/,
    ],
    [
      'an unknown variant',
      ['home/contrl'],
      /expected a loaded release of home\/contrl that is newer than the live one, got none/,
    ],
    ['nothing newer than the live one', ['home/control'], /that is newer than the live one, got none/],
    [
      'no weight left on the surface',
      [releaseOf(MONDAY), '--weight', '0'],
      /surfaces\.home\.variants: expected at least one variant/,
    ],
    [
      'the same as a dry run',
      [releaseOf(MONDAY), '--weight', '0', '--dry-run'],
      /expected at least one variant with a weight above 0/,
    ],
    [
      'an instance without tables',
      [releaseOf(MONDAY), '--instance', 'nobody'],
      /ReadRows from control failed: 5 NOT_FOUND: /,
    ],
  ])(
    'is one message and exit code 1 because of %s, and the live generations are unchanged',
    async (_what, args, message) => {
      const { earshot, live } = await makeLiveInstance();
      const before = await live();
      const result = await earshot('publish', ...args);
      expect(messageOf(result)).toEqual({ code: 1, message: expect.stringMatching(message) });
      expect(result.stdout).toBe('');
      expect(await live()).toEqual(before);
      expect(JSON.parse((await earshot('manifest', 'show', '--json')).stdout)).toEqual(before.manifest);
    },
  );
});

test('no region sees a publication before its lists: publish waits until they are everywhere', async () => {
  const server = await startServer();
  const { address, earshot, env, file, live } = await makeLiveInstance(server);
  server.stopReplication('us');
  const generation = ['--generation', String(TUESDAY)];
  await earshot('ingest', file('lists.ndjson', lines(1, 10)), ...home(), ...generation);
  const before = await live();
  expect(await read(address, TUESDAY, ['u:1'], 'us')).toEqual(['absent']);

  const patient = spawnNode([COMMAND, 'publish', releaseOf(TUESDAY), '--wait', '10m', ...ACCEPT_ALL], env);
  await eventuallySeldom(async () =>
    expect((await earshot('release', 'show', releaseOf(TUESDAY))).stdout).toContain('open at step'),
  );
  // A second publication is told of the first.
  expect(messageOf(await earshot('publish', releaseOf(TUESDAY), '--wait', '1s'))).toEqual({
    code: 1,
    message: expect.stringMatching(/the publication of home\/control@20.* is open since .* --resume.* goes on with it/),
  });
  expect(patient.child.exitCode).toBeNull();
  expect(await live()).toEqual(before);

  server.resumeReplication('us');
  expect(await patient.exited).toBe(0);
  expect((await live()).manifest.surfaces.home?.variants[0]?.current).toBe(TUESDAY);
  for (const region of REGIONS) {
    expect(await read(address, TUESDAY, ['u:1'], region)).toEqual([expect.stringContaining('for:u:1')]);
  }
});
