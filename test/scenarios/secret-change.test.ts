// The secret between worker and origins changes in steps, under load: the deployed worker in workerd, and real origins
// that are replaced on their port one by one.

import { pino } from 'pino';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { makeUsers, TOKEN_SECRET } from '../../bench/rigs/edge-asks.ts';
import type { WorkerBundle } from '../../bench/rigs/worker-bundle.ts';
import { startWorkerd, type Workerd } from '../../bench/rigs/workerd.ts';
import { findFreePorts } from '../../bench/support/free-ports.ts';
import { makeRegions } from '../../dev/topology.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { type Origin, startOrigin } from '../../origin/server.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import {
  MONDAY,
  manifestOf,
  publishManifest,
  startInstance,
  TIMEOUT_MS,
  writeList,
} from '../contracts/origin/instance.ts';
import { IDLE_LOOP, originConfig } from '../contracts/origin/running-origin.ts';
import { shareEdgeBundle } from '../support/shared-bundle/shared-bundle.ts';
import { eventually } from '../support/waiting.ts';

const OLD = 'origin-secret-for-tests-only-before-the-change';
const NEW = 'origin-secret-for-tests-only-after-the-change';
const REGION_NAMES = ['asia', 'us'] as const;
const USERS = makeUsers(60);
const CALLERS = 4;
/** Reads that each step has to see. */
const READS_PER_STEP = 40;

type RegionName = (typeof REGION_NAMES)[number];

let bundle: WorkerBundle;

beforeAll(async () => {
  bundle = await shareEdgeBundle();
});

interface Deployment {
  /** Replaces the worker by one with these secrets, once the new one answers. */
  deployWorker(secrets: Readonly<Record<string, string>>): Promise<void>;
  /** Replaces the origin of one region by one that accepts `secrets`, on the same port. */
  restartOrigin(region: RegionName, secrets: readonly string[]): Promise<void>;
  /** Resolves after READS_PER_STEP more reads. */
  readOn(): Promise<void>;
  /** Signs the tokens of later reads with another secret. */
  signWith(secret: string): void;
  /** Stops the load. The reads without the personal list of their user, and the number of all. */
  end(): Promise<{ failed: string[]; reads: number }>;
}

async function deploy(): Promise<Deployment> {
  const { bigtable, address } = await startInstance();
  for (const user of USERS)
    await writeList(
      bigtable,
      { surface: toName('home'), variant: toName('control'), generation: MONDAY, user: toUserId(user) },
      '{"id":"a","score":1}',
    );
  await publishManifest(bigtable, manifestOf(1), systemClock.now());
  const ports = await findFreePorts(REGION_NAMES.length);
  const origins = new Map<RegionName, Origin>();
  let worker: Workerd | undefined;

  const startRegion = (region: RegionName, originSecrets: readonly string[]): Promise<Origin> => {
    const port = ports[REGION_NAMES.indexOf(region)] ?? 0;
    const timing = { manifestPollMs: 100, drainDelayMs: 50, drainTimeoutMs: TIMEOUT_MS };
    const config = {
      ...originConfig(address),
      ...timing,
      region,
      port,
      reusePort: true,
      appProfile: `serve-${region}`,
    };
    const surroundings = { clock: systemClock, logger: pino({ level: 'silent' }), loopLoad: () => IDLE_LOOP };
    return startOrigin({ ...config, originSecrets: [...originSecrets] }, surroundings);
  };
  for (const region of REGION_NAMES) origins.set(region, await startRegion(region, [OLD]));
  const regions = makeRegions(0)
    .filter(({ name }) => (REGION_NAMES as readonly string[]).includes(name))
    .map((region, i) => ({ ...region, origin: `http://127.0.0.1:${ports[i]}` }));

  const deployWorker: Deployment['deployWorker'] = async (secrets) => {
    const bindings = {
      ...bundle.vars,
      ...{ ENVIRONMENT: 'local', REGIONS: JSON.stringify(regions), POPULAR_WARM_SECONDS: '0', TOKEN_SECRET },
      // Every read reaches an origin.
      ...{ ISOLATE_CACHE_BYTES: '0', REGION_CACHE_BYTES: '0' },
      ...secrets,
    };
    const next = await startWorkerd({ bundle, bindings, objects: { REGION_CACHE: 'RegionCache' }, isQuiet: true });
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${next.port}/healthz`)).status).toBe(200));
    const previous = worker;
    worker = next;
    await eventually(() => expect(load.oldest()).toBe(next.port));
    await previous?.stop();
  };

  const load = startLoad(() => worker?.port ?? 0);
  onTestFinished(async () => {
    await load.end();
    await worker?.stop();
    await Promise.all([...origins.values()].map((origin) => origin.drain()));
  });
  await deployWorker({ ORIGIN_SECRET: OLD });
  return {
    deployWorker,
    restartOrigin: async (region, secrets) => {
      const previous = origins.get(region);
      const next = await startRegion(region, secrets);
      await eventually(async () => expect((await fetch(`${next.url}/readyz`)).status).toBe(200));
      origins.set(region, next);
      await previous?.drain();
    },
    readOn: load.readOn,
    signWith: load.signWith,
    end: load.end,
  };
}

/** CALLERS read one list after the other, from the worker at the port of the moment. */
function startLoad(portOf: () => number) {
  const failed: string[] = [];
  const inFlight = new Map<number, number>();
  let reads = 0;
  let isOver = false;
  let tokenSecret = TOKEN_SECRET;

  async function readOne(caller: number): Promise<void> {
    const user = USERS[reads++ % USERS.length] ?? '';
    const claims = { user, scope: [], audience: LISTENER_AUDIENCE, expires: DEFAULT_LIFETIME_MS };
    const authorization = `Bearer ${await mintToken(claims, tokenSecret)}`;
    const port = portOf();
    inFlight.set(caller, port);
    const response = await fetch(`http://127.0.0.1:${port}/v1/me/recommendations/home`, { headers: { authorization } });
    const answer = (await response.json()) as { source?: string; code?: string };
    if (answer.source !== 'personal') failed.push(`${response.status} ${answer.code ?? answer.source}`);
  }

  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    while (portOf() === 0) await new Promise(setImmediate);
    while (!isOver) await readOne(caller).catch((error: Error) => void failed.push(error.message));
  });
  return {
    /** The port that all callers use, if it is one. */
    oldest: () => (new Set(inFlight.values()).size <= 1 ? ([...inFlight.values()][0] ?? portOf()) : 0),
    signWith: (secret: string): void => {
      tokenSecret = secret;
    },
    readOn: async () => {
      const before = reads;
      await eventually(() => expect(reads - before).toBeGreaterThan(READS_PER_STEP));
    },
    end: async () => {
      isOver = true;
      await Promise.all(callers);
      return { failed, reads };
    },
  };
}

test('ORIGIN_SECRET changes at the origins first, then at the worker, and no read fails', async () => {
  const { deployWorker, restartOrigin, readOn, end } = await deploy();
  await readOn();
  for (const region of REGION_NAMES) await restartOrigin(region, [NEW, OLD]).then(readOn);
  await deployWorker({ ORIGIN_SECRET: NEW }).then(readOn);
  for (const region of REGION_NAMES) await restartOrigin(region, [NEW]).then(readOn);
  const { failed, reads } = await end();
  expect(failed).toEqual([]);
  expect(reads).toBeGreaterThan(6 * READS_PER_STEP);
});

test('ORIGIN_SECRET changes at the worker first, then at the origins one by one, and no read fails', async () => {
  const { deployWorker, restartOrigin, readOn, end } = await deploy();
  await deployWorker({ ORIGIN_SECRET: NEW, ORIGIN_SECRET_PREVIOUS: OLD }).then(readOn);
  for (const region of REGION_NAMES) await restartOrigin(region, [NEW]).then(readOn);
  await deployWorker({ ORIGIN_SECRET: NEW }).then(readOn);
  const { failed, reads } = await end();
  expect(failed).toEqual([]);
  expect(reads).toBeGreaterThan(4 * READS_PER_STEP);
});

test('TOKEN_SECRET changes at the worker first, then at the issuer, and no read fails', async () => {
  const { deployWorker, readOn, signWith, end } = await deploy();
  const next = 'listener-secret-for-tests-only-after-the-change';
  await readOn();
  await deployWorker({ ORIGIN_SECRET: OLD, TOKEN_SECRET: next, TOKEN_SECRET_PREVIOUS: TOKEN_SECRET }).then(readOn);
  signWith(next);
  await readOn();
  await deployWorker({ ORIGIN_SECRET: OLD, TOKEN_SECRET: next }).then(readOn);
  const { failed, reads } = await end();
  expect(failed).toEqual([]);
  expect(reads).toBeGreaterThan(4 * READS_PER_STEP);
});

test('without a second secret on either side the same load sees the outage', async () => {
  const { deployWorker, readOn, end } = await deploy();
  await readOn();
  await deployWorker({ ORIGIN_SECRET: NEW }).then(readOn);
  const { failed } = await end();
  expect(failed.length).toBeGreaterThan(READS_PER_STEP / 2);
});
