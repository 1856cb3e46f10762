// `earshot` publishes only the named release, names every trouble of the manifest's row and repairs it, and works on
// without the write cluster. Long, because all tests share the history of one row.

import { beforeAll, describe, expect, test } from 'vitest';
import { runNode, spawnNode } from '../../bench/rigs/local-cloud.ts';
import type { EmbeddedBigtable } from '../../dev/bigtable/embedded-bigtable.ts';
import { readManifestRow } from '../../ops/bigtable/manifest-row.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { formatGeneration } from '../../shared/domain/generation.ts';
import { toName } from '../../shared/domain/ids.ts';
import { MANIFEST_ROW_KEY, TABLES } from '../../shared/domain/keys.ts';
import type { Manifest, Variant } from '../../shared/domain/manifest.ts';
import {
  controlOf,
  MONDAY,
  manifestOf,
  publishManifest,
  recordLoadOfOne,
  TIMEOUT_MS,
  TUESDAY,
  WEDNESDAY,
  writeManifestCell,
} from '../contracts/origin/instance.ts';
import { eventually, eventuallySeldom } from '../support/waiting.ts';
import {
  ACCEPT_ALL,
  COMMAND,
  createCommandInstances,
  home,
  lines,
  messageOf,
  releaseOf,
} from './support/command-instances.ts';

const { makeLiveInstance, startServer } = createCommandInstances({ inProcess: true });
const at = (generation: number): string[] => ['--generation', String(generation)];
let shared: EmbeddedBigtable;

beforeAll(async () => {
  shared = await startServer();
});

function changed(manifest: Manifest, version: number, change: Partial<Variant>): Manifest {
  const { home: surface } = manifest.surfaces;
  const [variant] = surface?.variants ?? [];
  if (surface === undefined || variant === undefined) throw new Error('expected home/control');
  return { ...manifest, version, surfaces: { home: { ...surface, variants: [{ ...variant, ...change }] } } };
}

async function recordControl(bigtable: BigtableConnection, ...generations: number[]): Promise<void> {
  for (const generation of generations)
    await recordLoadOfOne(bigtable, { surface: toName('home'), variant: toName('control'), generation });
}

const variantsIn = ({ surfaces }: Manifest) =>
  surfaces.home?.variants.map(({ name, weight, current }) => [name, weight, current]);

async function deleteRow(bigtable: BigtableConnection): Promise<void> {
  const row = {
    tableName: bigtable.tableName(TABLES.control),
    appProfileId: 'control',
    rowKey: Buffer.from(MANIFEST_ROW_KEY),
  };
  await (await bigtable.data()).mutateRow({ ...row, mutations: [{ deleteFromRow: {} }] }, { timeout: TIMEOUT_MS });
}

describe('a publication makes only its named generation live', () => {
  test('a weight changes no generation, also with a newer load and after a roll-back', async () => {
    const { bigtable, earshot, live } = await makeLiveInstance(shared);
    await recordControl(bigtable, TUESDAY, WEDNESDAY);
    await recordLoadOfOne(bigtable, { surface: toName('home'), variant: toName('knn'), generation: MONDAY });
    await earshot('publish', releaseOf(MONDAY, 'knn'));
    await earshot('publish', releaseOf(TUESDAY));
    await earshot('rollback', 'home/control', '--why', 'Tuesday is bad');
    const shown = await earshot('weight', 'home', 'control=75', 'knn=25', '--dry-run');
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/would be live \(version 5\)[\s\S]*control +75\.0 %/),
    });
    expect(await earshot('weight', 'home', 'control=75', 'knn=25')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /are live \(version 5\)[\s\S]*knn +25\.0 %[\s\S]*not confirmed by any origin: none is known/,
      ),
    });
    const { manifest } = await live();
    expect(variantsIn(manifest)).toEqual([
      ['control', 7500, MONDAY],
      ['knn', 2500, MONDAY],
    ]);
    expect(manifest.surfaces.home?.variants[0]).not.toHaveProperty('previous');
    expect((await earshot('weight', 'home', 'control=3', 'knn=1')).stdout).toContain('no change (version 5)');
    expect(messageOf(await earshot('weight', 'home', 'control=1'))).toEqual({
      code: 1,
      message: expect.stringContaining('expected a weight for every variant with listeners, got none for knn'),
    });
    expect((await earshot('manifest', 'history')).stdout).toMatch(
      /^version +written +bytes +reason\n5 .* weight home control=75 knn=25 by .*\n4 .* rollback home\/control@.* by .* \(Tuesday is bad\)\n3 /,
    );
    expect((await earshot('manifest', 'diff', '4', '5')).stdout).toBe(
      '- surfaces.home.variants.control.weight: 10000\n+ surfaces.home.variants.control.weight: 7500\n- surfaces.home.variants.knn.weight: 0\n+ surfaces.home.variants.knn.weight: 2500\n',
    );
    expect((await earshot('manifest', 'show', '3')).stdout).toMatch(
      new RegExp(`^version 3, .*[\\s\\S]*control +100\\.0 % +${formatGeneration(TUESDAY)}`),
    );
  });

  test('a running ramp is steered, and an option without an effect is an error', async () => {
    const { bigtable, earshot, env, live } = await makeLiveInstance(shared);
    await recordControl(bigtable, TUESDAY);
    const publishing = spawnNode([COMMAND, 'publish', releaseOf(TUESDAY), '--ramp', '6h'], env);
    const flip = async () => (await live()).manifest.surfaces.home?.variants[0]?.flip;
    await eventuallySeldom(async () => expect((await flip())?.durationMs).toBe(21_600_000));
    const line = 'home/control';
    expect(await earshot('ramp', 'set', line, '--over', '1h')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('home/control: ramp set (version 3)'),
    });
    expect((await flip())?.durationMs).toBe(3_600_000);
    expect(await earshot('ramp', 'pause', line, '--why', 'Bigtable is slow')).toMatchObject({ code: 0 });
    expect((await flip())?.pausedAtMs).toBeDefined();
    expect(await earshot('ramp', 'resume', line)).toMatchObject({ code: 0 });
    expect(messageOf(await earshot('publish', releaseOf(TUESDAY), '--ramp', '1h')).message).toMatch(
      /have no effect: home\/control@.* is live; `npx earshot ramp set/,
    );
    expect(await earshot('ramp', 'finish', line)).toMatchObject({ code: 0 });
    expect((await live()).manifest.surfaces.home?.variants[0]).not.toHaveProperty('flip');
    expect(await publishing.exited).toBe(0);
    expect(messageOf(await earshot('ramp', 'pause', line)).message).toContain(
      'expected a running ramp of home/control',
    );
  });

  test('variants without listeners and named surfaces are removed, others are protected', async () => {
    const { bigtable, earshot, live } = await makeLiveInstance(shared);
    await recordLoadOfOne(bigtable, { surface: toName('home'), variant: toName('knn'), generation: MONDAY });
    await earshot('publish', releaseOf(MONDAY, 'knn'), '--weight', '1000');
    for (const [args, message] of [
      [['variant', 'remove', 'home/knn'], /home\/knn has listeners \(weight 1000\)/],
      [['variant', 'remove', 'home/als'], /expected a live variant, got home\/als \(live are control, knn\)/],
      [['surface', 'remove', 'home'], /every read of home would answer 404 unknown_surface \(--force/],
      [['surface', 'remove', 'radio', '--force'], /expected a live surface, got radio \(live are home\)/],
    ] as const) {
      expect(messageOf(await earshot(...args))).toEqual({ code: 1, message: expect.stringMatching(message) });
    }
    await earshot('weight', 'home', 'control=1', 'knn=0');
    expect((await earshot('variant', 'remove', 'home/knn', '--dry-run')).stdout).toContain('home/knn would be removed');
    expect(await earshot('variant', 'remove', 'home/knn')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('home/knn is removed (version 4)'),
    });
    expect(variantsIn((await live()).manifest)).toEqual([['control', 10_000, MONDAY]]);
    expect(messageOf(await earshot('variant', 'remove', 'home/control')).message).toContain('is the only variant');
    expect(await earshot('surface', 'remove', 'home', '--force')).toMatchObject({ code: 0 });
    expect((await live()).manifest).toMatchObject({ version: 5, surfaces: {} });
    expect(await earshot('manifest', 'restore', '4', '--why', 'it was the wrong surface')).toMatchObject({ code: 0 });
    expect((await live()).manifest).toMatchObject({ version: 6, surfaces: { home: {} } });
  });
});

describe('a manifest row in trouble', () => {
  const versionNine = (manifest: Manifest) => changed(manifest, 9, {});

  test.each<[what: string, json: string, trouble: RegExp]>([
    ['broken', 'version 10', /the stored manifest is broken, and readers keep the version before .*got "version 10"/],
    ['set back', JSON.stringify(manifestOf(3)), /the manifest was set back from version 9 to version 3/],
    ['of a version that no writer reaches', JSON.stringify(manifestOf(2 ** 53 - 1)), /the stored manifest is broken/],
    ['too large', JSON.stringify({ ...manifestOf(10), later: 'x'.repeat(300_000) }), /at most 262144 bytes, got 30/],
  ])('that is %s is named by every command, not written over, and repaired', async (_what, json, trouble) => {
    const { bigtable, earshot, live } = await makeLiveInstance(shared);
    await recordControl(bigtable, TUESDAY);
    await publishManifest(bigtable, versionNine(manifestOf(9)), TUESDAY);
    await writeManifestCell(bigtable, json, WEDNESDAY);
    const stored = () => readManifestRow(controlOf(bigtable));
    const before = await stored();
    for (const args of [
      ['manifest', 'show'],
      ['publish', releaseOf(TUESDAY)],
      ['weight', 'home', 'control=1'],
    ]) {
      const { code, message } = messageOf(await earshot(...args));
      expect([code, message]).toEqual([1, expect.stringMatching(trouble)]);
      expect(message).toContain('earshot manifest restore VERSION --why TEXT');
    }
    expect(await stored()).toEqual(before);
    const why = ['--why', 'the row is in trouble'];
    expect(await earshot('manifest', 'restore', '9', ...why, '--dry-run')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('version 9 would be live again as version 10'),
    });
    expect(await stored()).toEqual(before);
    expect(await earshot('manifest', 'restore', '9', ...why)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('version 9 is live again as version 10'),
    });
    expect((await live()).manifest).toEqual(changed(manifestOf(9), 10, {}));
    expect(await earshot('publish', releaseOf(TUESDAY))).toMatchObject({ code: 0 });
  });

  test('that is broken keeps blocked items and switches of the latest version', async () => {
    const { bigtable, earshot, live } = await makeLiveInstance(shared);
    await earshot('switch', 'set', 'hedging=off', '--why', 'a test');
    await earshot('block', 'item', 'artist:9', '--why', 'a test');
    const { documents, switches } = (await live()).manifest;
    expect([documents?.blocked, switches?.hedging]).toEqual([expect.any(String), expect.anything()]);
    await writeManifestCell(bigtable, 'version 10', WEDNESDAY * 2);
    expect(await earshot('manifest', 'restore', '1', '--why', 'it was broken')).toMatchObject({ code: 0 });
    expect((await live()).manifest).toMatchObject({ version: 4, documents, switches });
    expect((await earshot('blocked', 'list')).stdout).toContain('artist:9');
    expect((await earshot('switch', 'list')).stdout).toContain('hedging=off');
  });

  test('that was deleted is restored from a saved version', async () => {
    const { bigtable, earshot, file, live } = await makeLiveInstance(shared);
    const saved = file('saved.json', (await earshot('manifest', 'show', '--json')).stdout);
    await deleteRow(bigtable);
    const why = ['--why', 'the row was deleted'];
    expect(messageOf(await earshot('manifest', 'restore', '1', ...why)).message).toContain(
      'expected a version that the table keeps, got 1 (it keeps none; no origin is known)',
    );
    expect(messageOf(await earshot('manifest', 'restore', '2', ...why, '--from', saved)).message).toContain(
      'it has version 1',
    );
    expect(await earshot('manifest', 'restore', '1', ...why, '--from', saved)).toMatchObject({ code: 0 });
    expect((await live()).manifest).toEqual(manifestOf(2));
  });

  test('keeps erased users erased through a restore, and refuses a generation that exists nowhere', async () => {
    const { bigtable, earshot, live } = await makeLiveInstance(shared);
    const erasures = [{ userHash: '00000000000000aa', atMs: TUESDAY }];
    await publishManifest(bigtable, { ...changed(manifestOf(2), 2, { current: WEDNESDAY }), erasures }, TUESDAY);
    expect((await earshot('manifest', 'show')).stderr).toMatch(
      /^warning: home\/control 20.* was never loaded, and is live$/m,
    );
    const before = await live();
    expect(messageOf(await earshot('manifest', 'restore', '2', '--why', 'a test'))).toEqual({
      code: 1,
      message: expect.stringMatching(/its lists are missing: home\/control 20.* was never loaded \(--force/),
    });
    expect(await live()).toEqual(before);
    expect(await earshot('manifest', 'restore', '1', '--why', 'its lists exist')).toMatchObject({ code: 0 });
    expect((await live()).manifest).toEqual({ ...manifestOf(3), erasures });
  });
});

describe('without the write cluster', () => {
  const europe = ['--control-profile', 'control-europe'];

  test('show, history, publish and roll-back go on through another cluster, and the later write counts after healing', async () => {
    const server = await startServer();
    const { bigtable, earshot, env, live } = await makeLiveInstance(server);
    await recordControl(bigtable, TUESDAY);
    server.stopReplication('asia');
    server.setFault('asia', { down: true });
    expect(messageOf(await runNode([COMMAND, 'manifest', 'show'], { ...env, EARSHOT_RETRY_MS: '0' }))).toEqual({
      code: 1,
      message: expect.stringContaining("cluster 'asia' is down"),
    });
    expect(await earshot('manifest', 'show', ...europe)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^version 1, /),
    });
    expect((await earshot('manifest', 'history', ...europe)).stdout).toMatch(/^1 /m);
    const published = await earshot('publish', releaseOf(TUESDAY), '--no-wait', ...europe);
    expect(published).toMatchObject({ code: 0, stdout: expect.stringContaining('is live (version 2)') });
    expect(published.stderr).toContain('note: regions without these lists serve older ones until the lists arrive');
    // A roll-back to lists that were live does not wait for the lost cluster.
    expect(await earshot('rollback', 'home/control', '--why', 'bad lists', ...europe)).toMatchObject({ code: 0 });
    expect(await live().catch(({ code }) => code)).toBe('unavailable');

    // The write cluster is back and not yet in step: its own writer knows nothing of versions 2 and 3.
    server.setFault('asia', {});
    expect((await live()).manifest.version).toBe(1);
    await publishManifest(bigtable, changed(manifestOf(2), 2, { weight: 1 }), MONDAY + 1);
    server.resumeReplication('asia');
    await eventually(async () => expect((await live()).manifest.version).toBe(3));
    const { manifest } = await live();
    expect(variantsIn(manifest)).toEqual([['control', 10_000, MONDAY]]);
    const versions = (await earshot('manifest', 'history', '--json')).stdout;
    expect((JSON.parse(versions) as { version: number }[]).map(({ version }) => version)).toEqual([3, 2, 2, 1]);
  });

  test('two clusters that both wrote can leave a row that was set back: it is named, and restored', async () => {
    const server = await startServer();
    const { bigtable, earshot, live } = await makeLiveInstance(server);
    await recordControl(bigtable, TUESDAY);
    server.stopReplication('asia');
    await publishManifest(bigtable, changed(manifestOf(2), 2, { weight: 5 }), MONDAY + 1);
    await publishManifest(bigtable, changed(manifestOf(3), 3, { weight: 6 }), MONDAY + 2);
    expect(await earshot('publish', releaseOf(TUESDAY), '--no-wait', ...europe)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is live (version 2)'),
    });
    server.resumeReplication('asia');
    await eventually(async () => expect((await live()).manifest.version).toBe(2));
    expect(messageOf(await earshot('weight', 'home', 'control=1'))).toEqual({
      code: 1,
      message: expect.stringContaining('the manifest was set back from version 3 to version 2'),
    });
    expect(await earshot('manifest', 'restore', '2', '--why', 'europe was right')).toMatchObject({ code: 0 });
    expect((await live()).manifest).toMatchObject({ version: 4 });
    expect(variantsIn((await live()).manifest)).toEqual([['control', 10_000, TUESDAY]]);
  });
});

test('one UNAVAILABLE on the first read ends no command', async () => {
  const draws: number[] = [];
  const server = await startServer({ random: () => draws.shift() ?? 1 });
  const { earshot, file, live, receipt } = await makeLiveInstance(server);
  server.setFault('asia', { errorShare: 0.5 });
  const path = file('lists.ndjson', lines(1, 2));
  for (const args of [
    ['manifest', 'show'],
    ['ingest', path, ...home(), ...at(TUESDAY)],
    ['publish', releaseOf(TUESDAY), ...ACCEPT_ALL],
    ['schema', 'apply', '--clusters', 'asia=asia,europe=europe,us=us'],
  ]) {
    draws.splice(0, draws.length, 0.1, 0.1);
    const result = await earshot(...args);
    expect(result.code, result.stderr).toBe(0);
    if (args[0] !== 'schema') {
      expect(draws).toEqual([]);
      expect(result.stderr).toMatch(/^note: .*UNAVAILABLE.*; trying again for up to 20 s$/m);
    }
  }
  server.setFault('asia', {});
  expect(await receipt(TUESDAY)).toMatchObject({ state: 'live', lists: 2 });
  expect((await live()).manifest.surfaces.home?.variants[0]?.current).toBe(TUESDAY);
});
