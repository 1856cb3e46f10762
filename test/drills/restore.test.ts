// The instance of Bigtable is lost under 100 reads a second, and a backup is restored into a new one. After the backup
// users were erased: some by the file, some by an erasure that was killed, and some that only origins remember. Each
// round loses the instance that the round before has restored.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { TOKEN_SECRET } from '../../bench/rigs/edge-asks.ts';
import { runNode, spawnNode } from '../../bench/rigs/local-cloud.ts';
import { BENCH_SECRET } from '../../bench/rigs/origin-process.ts';
import { startBigtable } from '../../bench/rigs/processes.ts';
import { startWorkerd } from '../../bench/rigs/workerd.ts';
import { type Cleanup, withCleanup } from '../../bench/support/cleanup.ts';
import { findFreePorts } from '../../bench/support/free-ports.ts';
import { fillTable, makeListener, makeListText, tableAddress } from '../../bench/support/table-data.ts';
import { LOCAL_CLUSTERS, LOCAL_INSTANCE, LOCAL_PROJECT, makeRegions } from '../../dev/topology.ts';
import { LOCAL_CLOUD_FILE } from '../../ops/cli/settings.ts';
import { type BigtableConnection, connectBigtable } from '../../origin/bigtable/connection.ts';
import { readManifest } from '../../origin/bigtable/manifest-row.ts';
import { backUpTables, dropTables, restoreTables } from '../commands/support/backups.ts';
import { drillRounds } from '../support/drill-rounds.ts';
import { createReleaseLoad, type ReleaseAnswer, type ReleaseLoad } from '../support/release-load.ts';
import { bundleDrillEdge, createDrillEdge } from './bad-days/edge.ts';
import { createOrigins } from './bad-days/origins.ts';

const HASH_KEY = 'a-hash-key-for-drills-only-0123456789';
const WHY = ['--why', 'a drill'];
const PLACES = [undefined, 'NRT', 'LHR', 'SFO'];
const OTHERS = 200;
/** Users that each way of erasing gets in a round. */
const GROUP = 10;
const GROUPS = 3;
const USABLE = { timeout: 60_000, interval: 100 };
const SHOWN = 10;

test('no erased user is answered after a restore, and every reader has the manifest of the new instance', async () => {
  await withCleanup(async (cleanup) => {
    const drill = await startDrill(cleanup);
    for (let round = 1; round <= drillRounds; round++) await restoreOnce(drill, round);
  });
}, 3_600_000);

async function startDrill(cleanup: Cleanup) {
  const bigtable = await startBigtable();
  cleanup.add(bigtable.stop);
  const emulatorHost = bigtable.env.BIGTABLE_EMULATOR_HOST ?? '';
  await fillTable(tableAddress(emulatorHost), OTHERS + GROUPS * GROUP * drillRounds);
  const [firstPort = 0] = await findFreePorts(3);
  const regions = makeRegions(firstPort);
  const origins = createOrigins(cleanup, bigtable);
  await Promise.all(regions.map((region) => origins.start(region)));
  const { bundle, bindingsFor, directory } = await bundleDrillEdge(cleanup);
  const worker = await startWorkerd({
    ...{ bundle, bindings: bindingsFor(regions), objects: { REGION_CACHE: 'RegionCache' }, isQuiet: true },
  });
  cleanup.add(worker.stop);
  const edge = await createDrillEdge(worker.port);
  const connect = (instance: string): BigtableConnection => {
    const connection = connectBigtable({ project: LOCAL_PROJECT, instance, emulatorHost });
    cleanup.add(() => connection.close());
    return connection;
  };
  /** Commands without flags use this instance. */
  const use = (instance: string): void => {
    const target = { project: LOCAL_PROJECT, instance, emulatorHost, clusters: LOCAL_CLUSTERS };
    const secrets = { tokenSecret: TOKEN_SECRET, originSecret: BENCH_SECRET, hashKey: HASH_KEY };
    const urls = { edgeUrl: edge.edgeUrl, controlUrl: bigtable.controlUrl };
    const named = regions.map(({ name, origin }) => ({ name, origin }));
    writeFileSync(
      join(directory, LOCAL_CLOUD_FILE),
      JSON.stringify({ ...target, ...secrets, ...urls, regions: named }),
    );
  };
  const env = { EARSHOT_STATE_DIR: directory, BIGTABLE_EMULATOR_HOST: emulatorHost };
  const erased: string[] = [];
  return { regions, origins, edge, connect, use, env, erased, file: join(directory, 'recovery.json') };
}

type Drill = Awaited<ReturnType<typeof startDrill>>;

const instanceOf = (round: number): string => (round === 0 ? LOCAL_INSTANCE : `${LOCAL_INSTANCE}-${round}`);

async function earshot({ env }: Drill, args: readonly string[], more: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await runNode(['ops/earshot.mjs', ...args], { ...env, ...more });
  expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
}

async function restoreOnce(drill: Drill, round: number): Promise<void> {
  const { connect, edge, erased, file, origins, regions, use } = drill;
  const [lost, restored] = [connect(instanceOf(round - 1)), connect(instanceOf(round))];
  use(instanceOf(round - 1));
  const from = OTHERS + (round - 1) * GROUPS * GROUP;
  const groups = Array.from({ length: GROUPS }, (_, g) =>
    Array.from({ length: GROUP }, (_user, i) => makeListener(from + g * GROUP + i)),
  );
  const [saved = [], killed = [], known = []] = groups;
  const others = Array.from({ length: OTHERS }, (_, i) => makeListener(i));
  const load = await createReleaseLoad(edge, [...others, ...erased, ...groups.flat()]);
  // Every cache has the lists of users that are about to be erased.
  for (const place of PLACES) await expectPersonal(load, groups.flat(), place);
  const watch = load.watch(PLACES, 'any');

  await backUpTables(lost, `round-${round}`);
  await earshot(drill, ['erase', ...saved, ...WHY], { EARSHOT_RECOVERY_FILE: file });
  await eraseUntilHidden(drill, killed);
  await earshot(drill, ['erase', ...known, ...WHY]);
  erased.push(...groups.flat());
  const erasedAtMs = Date.now();
  const [before = 0] = Object.values(await origins.versions());
  await dropTables(lost);

  await restoreTables(lost, `round-${round}`, restored);
  const target = ['--project', LOCAL_PROJECT, '--instance', instanceOf(round)];
  await earshot(drill, ['schema', 'apply', ...target]);
  await expect(readManifest(restored, 'serve-asia', 60_000)).rejects.toThrow(/was restored from its backup/);
  const running = regions.map(({ name, origin }) => `${name}=${origin}`).join(',');
  const applied = await earshot(drill, ['recovery', 'apply', file, ...target, ...WHY], {
    EARSHOT_HASH_KEY: HASH_KEY,
    EARSHOT_ORIGINS: running,
    EARSHOT_ORIGIN_SECRET: BENCH_SECRET,
  });
  expect(applied).toContain(`${GROUPS * GROUP} of users that were erased since`);
  const { manifest } = await readManifest(restored, 'serve-asia', 60_000);
  expect(manifest.version).toBeGreaterThan(before);

  const switchedAtMs = Date.now();
  for (const region of regions) await origins.start(region, { EARSHOT_INSTANCE: instanceOf(round) });
  await vi.waitFor(async () => {
    const { regions: seen, manifest: live } = await edge.status();
    expect({ version: live.version, unused: seen.filter(({ state }) => state !== 'healthy') }).toEqual({
      ...{ version: manifest.version, unused: [] },
    });
  }, USABLE);
  const usedAtMs = Date.now();
  expect(new Set(Object.values(await origins.versions()))).toEqual(new Set([manifest.version]));
  for (const place of PLACES) await expectPersonal(load, others, place);
  const { answers: watched, failures } = await watch.end();
  const answers = [...watched];
  for (const place of PLACES) answers.push(...(await readUntilServed(load, erased, place)));
  load.stop();
  const isErased = new Set(erased);
  const leaked = answers.filter(({ user, source, askedAtMs }) => {
    return askedAtMs >= erasedAtMs && isErased.has(user) && source === 'personal';
  });
  const wrong = answers.filter((answer) => !isRight(answer));
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  process.stdout.write(
    `round ${round}: ${answers.length} answers, ${wrong.length} wrong, ${leaked.length} of erased users, ${failures.length} failed without an instance; ` +
      `restored and adopted in ${seconds(switchedAtMs - erasedAtMs)}, origins switched in ${seconds(usedAtMs - switchedAtMs)}; version ${before} became ${manifest.version} everywhere\n`,
  );
  expect(leaked.slice(0, SHOWN)).toEqual([]);
  expect(wrong.slice(0, SHOWN)).toEqual([]);
}

/** The erasure dies after its first step, so its record stays open. */
async function eraseUntilHidden({ env, file }: Drill, users: readonly string[]): Promise<void> {
  const erasing = spawnNode(['ops/earshot.mjs', 'erase', ...users, ...WHY], { ...env, EARSHOT_RECOVERY_FILE: file });
  await erasing.printed(': hidden');
  erasing.child.kill('SIGKILL');
  await erasing.exited;
}

/** On a busy machine origins shed reads: those are read again. */
async function readUntilServed(load: ReleaseLoad, users: readonly string[], place?: string): Promise<ReleaseAnswer[]> {
  return vi.waitFor(async () => {
    const answers = await load.readAll(users, place);
    expect(answers.filter(({ status }) => status !== 200).slice(0, SHOWN)).toEqual([]);
    return answers;
  }, USABLE);
}

async function expectPersonal(load: ReleaseLoad, users: readonly string[], place?: string): Promise<void> {
  const answers = await readUntilServed(load, users, place);
  expect(answers.filter(({ source }) => source !== 'personal').slice(0, SHOWN)).toEqual([]);
  expect(answers.filter((answer) => !isRight(answer)).slice(0, SHOWN)).toEqual([]);
}

const idsOf = (user: string): string[] =>
  [...makeListText(user).matchAll(/"id":"([^"]+)"/g)].map(([, id = '']) => id).slice(0, SHOWN);

/** The list of the user in the table, or the popular one. */
const isRight = ({ user, source, ids }: ReleaseAnswer): boolean =>
  JSON.stringify(ids) === JSON.stringify(idsOf(source === 'personal' ? user : '~popular'));
