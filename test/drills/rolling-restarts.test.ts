// Three origins in the image are restarted in turn by SIGTERM, under 100 reads a second through the deployed
// worker. Each origin drains, ends and starts again, and no read fails. Half of the reads reach an origin and
// Bigtable. The next restart begins when the worker uses every region.
import { expect, test, vi } from 'vitest';
import { TOKEN_SECRET } from '../../bench/rigs/edge-asks.ts';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import { assembleOriginImage, type ImageOrigin, startImageOrigin } from '../../bench/rigs/origin-image.ts';
import { BENCH_SECRET } from '../../bench/rigs/origin-process.ts';
import { type BenchBigtable, startBigtable } from '../../bench/rigs/processes.ts';
import { startWorkerd } from '../../bench/rigs/workerd.ts';
import { type Cleanup, withCleanup } from '../../bench/support/cleanup.ts';
import { findFreePorts } from '../../bench/support/free-ports.ts';
import { fillTable, tableAddress } from '../../bench/support/table-data.ts';
import { makeRegions } from '../../dev/topology.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { drillRounds } from '../support/drill-rounds.ts';
import { createReadLoad, type ReadLoad } from '../support/read-load.ts';
import { shareEdgeBundle } from '../support/shared-bundle/shared-bundle.ts';

/** A machine that is too busy for the rate gets fewer reads, and not a queue of them. */
const LOAD = { readsPerSecond: 100, maxOpen: 20 };
const USERS = 1000;
/** Milliseconds after SIGTERM in which an origin accepts requests. */
const DRAIN_DELAY_MS = 500;
/** An ejection ends after 8 s at most. */
const USABLE = { timeout: 60_000, interval: 100 };

interface Place {
  readonly region: Region;
  start(): Promise<ImageOrigin>;
  running: ImageOrigin;
}

test('no read fails while each origin is restarted in turn', async () => {
  await withCleanup(async (cleanup) => {
    const places = await startOrigins(cleanup);
    const edge = await startEdge(cleanup, places);
    const load = await createReadLoad(edge, LOAD);
    cleanup.add(load.stop);
    await load.settle();
    for (let round = 1; round <= drillRounds; round += 1)
      for (const place of places) await restart(place, { edge, load, round });
  });
}, 3_600_000);

interface Drill {
  readonly edge: Edge;
  readonly load: ReadLoad;
  readonly round: number;
}

async function restart(place: Place, { edge, load, round }: Drill): Promise<void> {
  const stoppedAtMs = performance.now();
  const code = await place.running.stop();
  const endedMs = performance.now() - stoppedAtMs;
  place.running = await place.start();
  const restartedMs = performance.now() - stoppedAtMs;
  const usesAll = vi.waitFor(async () => expect(await edge.unusedRegions()).toEqual([]), USABLE);
  await Promise.all([load.settle(), usesAll]);
  const { answers, bad, reasons, wrong } = load.since(stoppedAtMs);
  process.stdout.write(
    `round ${round}: ${place.region.name}: ended after ${seconds(endedMs)} with code ${code}, ready again after ${seconds(restartedMs)}, ${bad} of ${answers} reads failed, ${wrong.length} wrong\n`,
  );
  expect({ code, bad, reasons, wrong }).toEqual({ code: 0, bad: 0, reasons: [], wrong: [] });
}

/** Three origins with root file systems of their own, in front of one embedded Bigtable. */
async function startOrigins(cleanup: Cleanup): Promise<Place[]> {
  const [bigtable, image] = await Promise.all([startTable(cleanup), assembleOriginImage(cleanup)]);
  const [firstPort = 0] = await findFreePorts(3);
  const startPlace = async (region: Region): Promise<Place> => {
    const env = {
      ...bigtable.env,
      EARSHOT_REGION: region.name,
      EARSHOT_ORIGIN_SECRET: BENCH_SECRET,
      EARSHOT_DRAIN_DELAY_MS: String(DRAIN_DELAY_MS),
      PORT: new URL(region.origin).port,
    };
    const start = (): Promise<ImageOrigin> => startImageOrigin(cleanup, image, env);
    return { region, start, running: await start() };
  };
  return Promise.all(makeRegions(firstPort).map(startPlace));
}

async function startTable(cleanup: Cleanup): Promise<BenchBigtable> {
  const bigtable = await startBigtable();
  cleanup.add(bigtable.stop);
  await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS);
  return bigtable;
}

interface Edge extends Pick<TestCloud, 'edgeUrl' | 'mintToken'> {
  /** Names of the regions that the worker has ejected. */
  unusedRegions(): Promise<string[]>;
}

/** The deployed worker with the objects of three regions. */
async function startEdge(cleanup: Cleanup, places: readonly Place[]): Promise<Edge> {
  const bundle = await shareEdgeBundle();
  const bindings = {
    ...bundle.vars,
    ENVIRONMENT: 'local',
    REGIONS: JSON.stringify(places.map(({ region }) => region)),
    TOKEN_SECRET,
    ORIGIN_SECRET: BENCH_SECRET,
  };
  const worker = await startWorkerd({ bundle, bindings, objects: { REGION_CACHE: 'RegionCache' }, isQuiet: true });
  cleanup.add(worker.stop);
  const edgeUrl = `http://127.0.0.1:${worker.port}`;
  const scope = ['recs:read:any' as const, 'recs:status' as const];
  const claims = { scope, audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS };
  const mint = (user: string): Promise<string> => mintToken({ user, ...claims }, TOKEN_SECRET);
  const headers = { authorization: `Bearer ${await mint('service:drill')}` };
  return {
    edgeUrl,
    mintToken: mint,
    unusedRegions: async () => {
      const { regions } = edgeStatusSchema.parse(await (await fetch(`${edgeUrl}${STATUS_PATH}`, { headers })).json());
      return regions.filter(({ state }) => state !== 'healthy').map(({ name }) => name);
    },
  };
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
