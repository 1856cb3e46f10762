// An upgrade and its way back, under 100 reads a second: the origins one after the other, then the worker at 5, 50 and
// 100 %, while objects lag behind the worker, then all of it back. No read fails, and every list is that of the table.
// The manifest is written by the next build from the start, so the previous one reads it.
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TOKEN_SECRET } from '../../bench/rigs/edge-asks.ts';
import { BENCH_SECRET, type OriginProcess, startOriginProcess } from '../../bench/rigs/origin-process.ts';
import { startBigtable } from '../../bench/rigs/processes.ts';
import { BUILDS, type Build, checkOutBuilds, type TwoBuilds } from '../../bench/rigs/two-builds.ts';
import { startWorkerd } from '../../bench/rigs/workerd.ts';
import { type Cleanup, withCleanup } from '../../bench/support/cleanup.ts';
import { findFreePorts } from '../../bench/support/free-ports.ts';
import { fillTable, makeListener, makeListText, tableAddress } from '../../bench/support/table-data.ts';
import { makeRegions } from '../../dev/topology.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE, type Scope } from '../../shared/domain/identity.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { drillRounds } from '../support/drill-rounds.ts';
import { createReadLoad, type ReadLoad } from '../support/read-load.ts';
import { startFront as startFrontServer } from './bad-days/front.ts';

const LOAD = { readsPerSecond: 100, maxOpen: 20 };
const USERS = 1000;
/** A stage of a deployment takes minutes; an object may lag for 300 s. Here both take this long. */
const STAGE_MS = 5_000;
const SHARES = [0.05, 0.5, 1];

interface Stage {
  readonly what: string;
  /** Share of requests that the worker of the next build answers. */
  readonly nextShare: number;
  /** The build of the objects. */
  readonly objects: Build;
}

/** Cloudflare updates objects up to 300 s after the worker, in both directions. */
const WORKER_STAGES: Readonly<Record<Build, readonly Stage[]>> = {
  next: [
    ...SHARES.map((share) => ({ what: `worker at ${100 * share} %`, nextShare: share, objects: 'previous' as const })),
    { what: 'objects follow', nextShare: 1, objects: 'next' },
  ],
  previous: [
    ...SHARES.map((share) => ({
      what: `worker back at ${100 * share} %`,
      nextShare: 1 - share,
      objects: 'next' as const,
    })),
    { what: 'objects follow back', nextShare: 0, objects: 'previous' },
  ],
};

test('no read fails during an upgrade and its way back', async () => {
  await withCleanup(async (cleanup) => {
    const builds = await checkOutBuilds(cleanup);
    const origins = await startOrigins(cleanup, builds);
    const front = await startFront(cleanup, builds, origins.regions);
    await expectLists(front);
    const load = await createReadLoad(front, LOAD);
    cleanup.add(load.stop);
    await load.settle();
    for (let round = 1; round <= drillRounds; round++) {
      for (const build of ['next', 'previous'] as const) {
        // Up: origins first. Back: the worker first.
        if (build === 'next')
          await origins.moveAll(build, (what) => expectGood(load, front, `round ${round}: ${what}`));
        for (const stage of WORKER_STAGES[build]) {
          front.set(stage);
          await setTimeout(STAGE_MS);
          await expectGood(load, front, `round ${round}: ${stage.what}`);
        }
        if (build === 'previous')
          await origins.moveAll(build, (what) => expectGood(load, front, `round ${round}: ${what}`));
      }
    }
    expect(front.answers.previous).toBeGreaterThan(0);
    expect(front.answers.next).toBeGreaterThan(0);
  });
}, 3_600_000);

async function expectGood(load: ReadLoad, { answers, farMessages }: Front, what: string): Promise<void> {
  await load.settle();
  const { answers: count, bad, reasons, wrong } = load.since(0);
  const shares = BUILDS.map((build) => `${build} ${answers[build]}`).join(', ');
  process.stdout.write(`${what}: ${bad} of ${count} reads failed, ${wrong.length} wrong; answered by ${shares}\n`);
  expect({ what, bad, reasons, wrong }).toEqual({ what, bad: 0, reasons: [], wrong: [] });
  expect(await farMessages()).toBe(0);
}

interface Origins {
  readonly regions: readonly Region[];
  /** Replaces the origins by those of `build`, one after the other. */
  moveAll(build: Build, onMoved: (what: string) => Promise<void>): Promise<void>;
}

async function startOrigins(cleanup: Cleanup, { checkouts }: TwoBuilds): Promise<Origins> {
  const bigtable = await startBigtable();
  cleanup.add(bigtable.stop);
  await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS);
  const [firstPort = 0] = await findFreePorts(3);
  const regions = makeRegions(firstPort);
  const start = ({ name, origin }: Region, build: Build): Promise<OriginProcess> =>
    startOriginProcess(
      cleanup,
      { ...bigtable.env, EARSHOT_REGION: name, EARSHOT_DRAIN_DELAY_MS: '500', PORT: new URL(origin).port },
      checkouts[build],
    );
  const running = new Map<string, OriginProcess>();
  for (const region of regions) running.set(region.name, await start(region, 'previous'));
  return {
    regions,
    moveAll: async (build, onMoved) => {
      for (const region of regions) {
        await running.get(region.name)?.stop();
        running.set(region.name, await start(region, build));
        await onMoved(`origin of ${region.name} is of the ${build} build`);
      }
    },
  };
}

interface Front {
  readonly edgeUrl: string;
  readonly answers: Readonly<Record<Build, number>>;
  mintToken(user: string, ...scopes: string[]): Promise<string>;
  set(stage: Stage): void;
  /** Messages whose version some worker took for too far from its own. */
  farMessages(): Promise<number>;
}

/** The route of a deployment: it gives each request to the worker of one of the builds, by their shares. */
async function startFront(cleanup: Cleanup, builds: TwoBuilds, regions: readonly Region[]): Promise<Front> {
  const ports = new Map<string, number>();
  for (const worker of BUILDS)
    for (const objects of BUILDS) {
      const bundle = await builds.bundle(worker, objects);
      const bindings = {
        ...bundle.vars,
        ENVIRONMENT: 'local',
        REGIONS: JSON.stringify(regions),
        TOKEN_SECRET,
        ORIGIN_SECRET: BENCH_SECRET,
      };
      const { port, stop } = await startWorkerd({
        ...{ bundle, bindings, objects: { REGION_CACHE: 'RegionCache' }, isQuiet: true },
      });
      cleanup.add(stop);
      ports.set(`${worker} ${objects}`, port);
    }
  let stage: Stage = { what: 'before', nextShare: 0, objects: 'previous' };
  const answers = { previous: 0, next: 0 };
  const port = await startFrontServer(cleanup, () => {
    const build = Math.random() < stage.nextShare ? 'next' : 'previous';
    answers[build] += 1;
    return ports.get(`${build} ${stage.objects}`) ?? 0;
  });
  const claims = { audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS };
  const mint = (user: string, ...scope: string[]): Promise<string> =>
    mintToken({ user, scope: scope as Scope[], ...claims }, TOKEN_SECRET);
  const headers = { authorization: `Bearer ${await mint('service:drill', 'recs:status')}` };
  return {
    edgeUrl: `http://127.0.0.1:${port}`,
    answers,
    mintToken: mint,
    set: (next) => {
      stage = next;
    },
    farMessages: async () => {
      const all = [...ports.values()].map(async (port) => {
        const answer = await fetch(`http://127.0.0.1:${port}${STATUS_PATH}`, { headers });
        return edgeStatusSchema.parse(await answer.json()).counters.edge_far_messages_total;
      });
      return (await Promise.all(all)).reduce((sum, count) => sum + count, 0);
    },
  };
}

/** The lists that the load compares with are those of the table. */
async function expectLists({ edgeUrl, mintToken: mint }: Front): Promise<void> {
  const headers = { authorization: `Bearer ${await mint('service:drill', 'recs:read:any')}` };
  for (const i of [1, 50, 100]) {
    const user = makeListener(i);
    const text = await (await fetch(`${edgeUrl}/v1/users/${user}/recommendations/home`, { headers })).text();
    expect(text).toContain(makeListText(user));
  }
}
