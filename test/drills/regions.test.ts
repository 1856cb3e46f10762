// A region is added and removed again, under reads: profile, origin, worker at 5, 50 and 100 % while objects lag, and
// all the way back. The next version of the worker has another number of objects, too. No read fails or is wrong.
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runNode } from '../../bench/rigs/local-cloud.ts';
import { type BenchBigtable, startBigtable } from '../../bench/rigs/processes.ts';
import { startWorkerd } from '../../bench/rigs/workerd.ts';
import { type Cleanup, withCleanup } from '../../bench/support/cleanup.ts';
import { findFreePorts } from '../../bench/support/free-ports.ts';
import { fillTable, tableAddress } from '../../bench/support/table-data.ts';
import { LOCAL_INSTANCE, LOCAL_PROJECT, makeRegions } from '../../dev/topology.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { drillRounds } from '../support/drill-rounds.ts';
import { createReadLoad, type ReadLoad } from '../support/read-load.ts';
import { bundleDrillEdge, createDrillEdge } from './bad-days/edge.ts';
import { startFront } from './bad-days/front.ts';
import { createOrigins, type DrillOrigins } from './bad-days/origins.ts';

/** Longer than the deadline of the worker, so that a busy machine fails no read. */
const LOAD = { readsPerSecond: 50, maxOpen: 20, timeoutMs: 60_000 };
const USERS = 1000;
const ADDED = 'europe';
/** A stage of a deployment takes minutes; an object may lag for 300 s. Here both take this long. */
const STAGE_MS = 2_000;
const SHARES = [0.05, 0.5, 1];
const VERSIONS = ['without', 'with'] as const;
type Version = (typeof VERSIONS)[number];
const SHARDS: Readonly<Record<Version, string>> = { without: '8', with: '9' };

test('no read fails while a region is added and removed, and the number of objects changes', async () => {
  await withCleanup(async (cleanup) => {
    const bigtable = await startBigtable();
    cleanup.add(bigtable.stop);
    await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS);
    const [firstPort = 0] = await findFreePorts(3);
    const all = makeRegions(firstPort);
    const [added, without] = [true, false].map((isAdded) => all.filter(({ name }) => (name === ADDED) === isAdded));
    // A caller without a place reads the first region.
    const regions = { with: [...(added ?? []), ...(without ?? [])], without: without ?? [] };
    const origins = createOrigins(cleanup, bigtable);
    await applySchema(bigtable, regions.without);
    for (const region of regions.without) await origins.start(region);
    const front = await startVersions(cleanup, regions);
    const load = await createReadLoad(front.edge, LOAD);
    cleanup.add(load.stop);
    await load.settle();
    for (let round = 1; round <= drillRounds; round++)
      await addAndRemove({ bigtable, front, load, origins, regions, round });
    expect(front.answers.with).toBeGreaterThan(0);
  });
}, 3_600_000);

interface Drill {
  readonly bigtable: BenchBigtable;
  readonly front: Versions;
  readonly load: ReadLoad;
  readonly origins: DrillOrigins;
  readonly regions: Readonly<Record<Version, readonly Region[]>>;
  readonly round: number;
}

async function addAndRemove({ bigtable, front, load, origins, regions, round }: Drill): Promise<void> {
  const added = regions.with.filter(({ name }) => name === ADDED);
  const deploy = async (version: Version, before: Version): Promise<void> => {
    for (const share of SHARES) {
      front.set({ version, share, objects: before });
      await setTimeout(STAGE_MS);
      await expectGood(load, front, `round ${round}: ${version} ${ADDED} at ${100 * share} %`);
    }
    front.set({ version, share: 1, objects: version });
    await setTimeout(STAGE_MS);
    await expectGood(load, front, `round ${round}: objects ${version} ${ADDED}`);
  };
  await applySchema(bigtable, regions.with);
  for (const region of added) await origins.start(region);
  await deploy('with', 'without');
  const { regions: seen } = await front.edge.status();
  expect(seen.find(({ name }) => name === ADDED)?.attempts).toBeGreaterThan(0);
  await deploy('without', 'with');
  for (const region of added) await origins.stop(region);
  await applySchema(bigtable, regions.without);
  await expectGood(load, front, `round ${round}: ${ADDED} is removed`);
}

async function expectGood(load: ReadLoad, { answers }: Versions, what: string): Promise<void> {
  await load.settle();
  const { answers: count, bad, reasons, wrong } = load.since(0);
  const shares = VERSIONS.map((version) => `${version} ${answers[version]}`).join(', ');
  process.stdout.write(`${what}: ${bad} of ${count} reads failed, ${wrong.length} wrong; answered by ${shares}\n`);
  expect({ what, bad, reasons, wrong }).toEqual({ what, bad: 0, reasons: [], wrong: [] });
}

/** The app profiles of these regions, and of no others. */
async function applySchema({ env }: BenchBigtable, regions: readonly Region[]): Promise<void> {
  const names = regions.map(({ name }) => name).sort();
  const clusters = names.map((name) => `${name}=${name}`).join(',');
  const target = ['--project', LOCAL_PROJECT, '--instance', LOCAL_INSTANCE, '--clusters', clusters];
  const { code, stderr } = await runNode(['ops/earshot.mjs', 'schema', 'apply', '--allow-destructive', ...target], env);
  expect(code, stderr).toBe(0);
}

interface Stage {
  readonly version: Version;
  /** Share of requests that the worker of this version answers. */
  readonly share: number;
  /** The version of the objects. */
  readonly objects: Version;
}

interface Versions {
  readonly edge: Awaited<ReturnType<typeof createDrillEdge>>;
  readonly answers: Readonly<Record<Version, number>>;
  set(stage: Stage): void;
}

/** Both versions of the worker, each in front of the objects of both. */
async function startVersions(cleanup: Cleanup, regions: Drill['regions']): Promise<Versions> {
  const { bundle, bindingsFor } = await bundleDrillEdge(cleanup);
  const bindingsOf = (version: Version) => ({ ...bindingsFor(regions[version]), REGION_SHARDS: SHARDS[version] });
  const ports = new Map<string, number>();
  for (const version of VERSIONS)
    for (const objects of VERSIONS) {
      const bindings = { bindings: bindingsOf(version), objectBindings: bindingsOf(objects) };
      const worker = await startWorkerd({
        bundle,
        ...bindings,
        objects: { REGION_CACHE: 'RegionCache' },
        isQuiet: true,
      });
      cleanup.add(worker.stop);
      ports.set(`${version} ${objects}`, worker.port);
    }
  let stage: Stage = { version: 'without', share: 1, objects: 'without' };
  const answers = { with: 0, without: 0 };
  const port = await startFront(cleanup, () => {
    const other = stage.version === 'with' ? 'without' : 'with';
    const version = Math.random() < stage.share ? stage.version : other;
    answers[version] += 1;
    return ports.get(`${version} ${stage.objects}`) ?? 0;
  });
  return {
    edge: await createDrillEdge(port),
    answers,
    set: (next) => {
      stage = next;
    },
  };
}
