// `earshot doctor` on a healthy local cloud, and on deployments with one fault each: it names the fault and the remedy.
// The faults are real: other secrets, other processes, other wires, other cells. The table of them is one file, because
// each row has its making beside its words.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TestCloud } from '../../bench/rigs/local-cloud.ts';
import { startOriginProcess } from '../../bench/rigs/origin-process.ts';
import type { WorkerBundle } from '../../bench/rigs/worker-bundle.ts';
import { startWorkerd } from '../../bench/rigs/workerd.ts';
import { createSteps } from '../../bench/support/cleanup.ts';
import { LOCAL_INSTANCE, LOCAL_PROJECT, makeRegions } from '../../dev/topology.ts';
import type { Finding } from '../../ops/doctor/finding.ts';
import { type BigtableConnection, connectBigtable } from '../../origin/bigtable/connection.ts';
import { FAMILIES, TABLES } from '../../shared/domain/keys.ts';
import { TIMEOUT_MS, writeManifestCell } from '../contracts/origin/instance.ts';
import { runInProcess } from '../support/earshot/command-in-process.ts';
import { startTestCloud } from '../support/earshot/test-cloud.ts';
import { makeRandomSecret } from '../support/random-secret.ts';
import { shareEdgeBundle } from '../support/shared-bundle/shared-bundle.ts';
import { eventuallySeldom } from '../support/waiting.ts';
import { startChangingProxy } from './changing-proxy.ts';

let cloud: TestCloud;
let bigtable: BigtableConnection;
let bundle: WorkerBundle;
const cleanup = createSteps();
const perTest = createSteps();

beforeAll(async () => {
  cloud = await startTestCloud();
  cleanup.add(async () => {
    await cloud.stop();
  });
  const emulatorHost = `127.0.0.1:${cloud.ports.bigtable}`;
  bigtable = connectBigtable({ project: LOCAL_PROJECT, instance: LOCAL_INSTANCE, emulatorHost });
  cleanup.add(() => bigtable.close());
  bundle = await shareEdgeBundle();
});
afterEach(() => perTest.run());
afterAll(() => cleanup.run());

type Env = Readonly<Record<string, string>>;

async function doctor(env: Env = {}, ...args: string[]): Promise<{ code: number; findings: Finding[] }> {
  const result = await runInProcess(['doctor', '--json', ...args], {
    EARSHOT_STATE_DIR: cloud.stateDirectory,
    ...env,
  });
  expect(result.stdout, result.stderr).not.toBe('');
  return { code: result.code, findings: JSON.parse(result.stdout) as Finding[] };
}

const originUrl = (i: number): string => `http://127.0.0.1:${cloud.ports.origins + i}`;
const NAMES = ['asia', 'europe', 'us'];

/** EARSHOT_ORIGINS of the cloud, with other URLs for some regions. */
const originsWith = (others: Env): string =>
  NAMES.map((name, i) => `${name}=${others[name] ?? originUrl(i)}`).join(',');

/** REGIONS of the cloud, likewise. */
const regionsAt = (others: Env): string =>
  JSON.stringify(
    makeRegions(cloud.ports.origins).map((region) => ({ ...region, origin: others[region.name] ?? region.origin })),
  );

const OBJECTS = { REGION_CACHE: 'RegionCache' };

/** The deployed worker in front of the cloud, with other variables. Returns its URL. */
async function startEdge(variables: Env, objects: Env = OBJECTS): Promise<string> {
  const { tokenSecret, originSecret = '' } = cloud.describe();
  const secrets = { TOKEN_SECRET: tokenSecret, ORIGIN_SECRET: originSecret };
  const bindings = { ...bundle.vars, ENVIRONMENT: 'local', REGIONS: regionsAt({}), ...secrets, ...variables };
  const { port, stop } = await startWorkerd({ bundle, bindings, objects, isQuiet: true });
  perTest.add(stop);
  return `http://127.0.0.1:${port}`;
}

const earshot = async (...args: string[]): Promise<void> => {
  expect(await cloud.earshot(...args), args.join(' ')).toMatchObject({ code: 0 });
};
const heal = (): void => perTest.add(() => earshot('fault', '--heal'));

test('a healthy cloud has no fault, and everything is looked at', async () => {
  const { code, findings } = await doctor();
  expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
  expect([code, findings.length]).toEqual([0, 14]);
  const text = await cloud.earshot('doctor');
  expect([text.code, text.stderr]).toEqual([0, '']);
  expect(text.stdout).toMatch(
    /^ok {7}target: http:\/\/127\.0\.0\.1:\d+ before earshot-local\/\S+\nok {7}edge: http:\/\/127\.0\.0\.1:\d+ answers in \d+ ms\n/,
  );
  expect(text.stdout).toMatch(/builds: worker \S+, origin-\w+ \S+,.* region-\w+ \S+\n/);
});

interface Fault {
  readonly what: string;
  readonly make: () => Promise<{ env?: Env; edge?: string }>;
  readonly check: string;
  readonly found: RegExp;
  readonly remedy: RegExp;
}

const FAULTS: readonly Fault[] = [
  {
    what: 'an edge that does not answer',
    make: async () => ({ edge: 'http://127.0.0.1:1' }),
    check: 'edge',
    found: /does not answer: ECONNREFUSED|does not answer: bad port/,
    remedy: /check the route and DNS/,
  },
  {
    what: 'a worker without ORIGIN_SECRET',
    make: async () => ({ edge: await startEdge({ ORIGIN_SECRET: '' }) }),
    check: 'edge',
    found: /no valid configuration/,
    remedy: /wrangler secret put/,
  },
  {
    what: 'a host that the worker does not serve',
    make: async () => ({ edge: await startEdge({ PUBLIC_HOSTS: 'recs.example.com' }) }),
    check: 'edge',
    found: /does not serve the host/,
    remedy: /add the host to PUBLIC_HOSTS/,
  },
  {
    what: 'another TOKEN_SECRET in the worker',
    make: async () => ({ edge: await startEdge({ TOKEN_SECRET: makeRandomSecret() }) }),
    check: 'tokens',
    found: /refuses the token/,
    remedy: /another TOKEN_SECRET/,
  },
  {
    what: 'a token without the scopes',
    make: async () => ({ env: { EARSHOT_TOKEN: await cloud.mintToken('service:1') } }),
    check: 'tokens',
    found: /lacks a scope/,
    remedy: /recs:status/,
  },
  {
    what: 'one secret for two purposes',
    make: async () => ({ env: { EARSHOT_HASH_KEY: cloud.describe().tokenSecret } }),
    check: 'secrets',
    found: /TOKEN_SECRET and HASH_KEY are the same/,
    remedy: /openssl rand/,
  },
  {
    what: 'a clock that is a minute ahead',
    make: async () => {
      const asia = await startChangingProxy(perTest, originUrl(0), (headers) => {
        headers.date = new Date(Date.now() + 60_000).toUTCString();
      });
      return { env: withOrigins({ asia }) };
    },
    check: 'clocks',
    found: /the origin of asia is (59|60|61) s ahead/,
    remedy: /NTP/,
  },
  {
    what: 'an app profile `default` for all clusters',
    make: async () => {
      await changeDefault({ multiClusterRoutingUseAny: {} }, 'multi_cluster_routing_use_any');
      return {};
    },
    check: 'schema',
    found: /expected app profile default, cluster asia with transactions, LOW, got/,
    remedy: /earshot schema apply/,
  },
  {
    what: 'a family that is gone',
    make: async () => {
      const admin = await bigtable.tableAdmin();
      const modifications = [{ id: FAMILIES.heartbeats, drop: true }];
      await admin.modifyColumnFamilies({ name: bigtable.tableName(TABLES.heartbeats), modifications }, ADMIN);
      // The next test begins once every origin has written a heartbeat again.
      perTest.add(async () => {
        await eventuallySeldom(async () => {
          const heartbeats = (await doctor()).findings.filter(({ check }) => check === 'heartbeats');
          expect(heartbeats).toMatchObject([{ state: 'ok' }]);
        });
      });
      perTest.add(() => earshot('schema', 'apply'));
      return {};
    },
    check: 'schema',
    found: /expected table heartbeats/,
    remedy: /earshot schema apply/,
  },
  {
    what: 'an origin with another secret',
    make: async () => {
      const { emulatorHost = '', project, instance } = cloud.describe();
      const { url } = await startOriginProcess(perTest, {
        BIGTABLE_EMULATOR_HOST: emulatorHost,
        EARSHOT_PROJECT: project,
        EARSHOT_INSTANCE: instance,
        EARSHOT_ORIGIN_SECRET: makeRandomSecret(),
        LOG_LEVEL: 'info',
      });
      return { env: withOrigins({ europe: url }) };
    },
    check: 'origin tokens',
    found: /europe refuses a token that is signed with ORIGIN_SECRET/,
    remedy: /EARSHOT_ORIGIN_SECRET/,
  },
  {
    what: 'an origin of another region',
    make: async () => ({ env: withOrigins({ us: originUrl(0) }) }),
    check: 'origin tokens',
    found: /the origin at the URL of us is one of asia/,
    remedy: /EARSHOT_REGION to us/,
  },
  {
    what: 'a region without a process',
    make: async () => ({
      env: {
        ...withOrigins({}),
        EARSHOT_ORIGINS: `${originsWith({})},africa=${await startChangingProxy(perTest, originUrl(0))}`,
      },
    }),
    check: 'heartbeats',
    found: /no origin of africa has written a heartbeat/,
    remedy: /start the origins of africa/,
  },
  {
    what: 'a region that the worker is refused by',
    make: async () => {
      const edge = await startEdge({ ORIGIN_SECRET: makeRandomSecret() });
      return { edge };
    },
    check: 'regions',
    found: /the origins of \w+ refuse the calls of the edge/,
    remedy: /compare ORIGIN_SECRET/,
  },
  {
    what: 'a worker without region objects',
    make: async () => ({ edge: await startEdge({}, {}) }),
    check: 'read path',
    found: /passed no region object/,
    remedy: /REGION_CACHE/,
  },
  {
    what: 'origins of a build far away',
    make: async () => {
      const far = await Promise.all(
        NAMES.map((_, i) =>
          startChangingProxy(perTest, originUrl(i), (headers) => {
            headers['earshot-message-version'] = '9';
          }),
        ),
      );
      const all = Object.fromEntries(NAMES.map((name, i) => [name, far[i] ?? '']));
      return { edge: await startEdge({ REGIONS: regionsAt(all) }) };
    },
    check: 'builds',
    found: /origin-\w+ runs 0\.1\.0 with messages of version 9/,
    remedy: /docs\/deploying\.md/,
  },
];

const ADMIN = { timeout: TIMEOUT_MS };

async function changeDefault(change: object, path: string): Promise<void> {
  perTest.add(() => earshot('schema', 'apply'));
  const appProfile = { name: `${bigtable.instanceName}/appProfiles/default`, ...change };
  const order = { appProfile, updateMask: { paths: [path] }, ignoreWarnings: true };
  await (await bigtable.instanceAdmin()).updateAppProfile(order, ADMIN);
}

const withOrigins = (others: Env): Env => ({
  EARSHOT_ORIGINS: originsWith(others),
  EARSHOT_ORIGIN_SECRET: cloud.describe().originSecret ?? '',
});

describe('the doctor names the fault and the remedy of', () => {
  test.each(FAULTS)('$what', async ({ make, check, found, remedy }) => {
    const { env = {}, edge } = await make();
    const { code, findings } = await doctor(env, ...(edge === undefined ? [] : ['--edge', edge]));
    expect(code).toBe(1);
    const failures = findings.filter((each) => each.state === 'failed' && each.check === check);
    expect(failures[0], JSON.stringify(findings, undefined, 1)).toMatchObject({
      found: expect.stringMatching(found),
      remedy: expect.stringMatching(remedy),
    });
  });

  test('an origin that is down, and does not say that it accepts the secret', async () => {
    heal();
    await earshot('fault', 'europe', '--down');
    expect((await doctor()).findings.filter(({ check }) => check.startsWith('origin'))).toMatchObject([
      { check: 'origins', state: 'failed', found: expect.stringMatching(/europe does not answer at .*ECONNREFUSED/) },
      { check: 'origin tokens', state: 'ok', found: 'asia, us accept the secret for their regions' },
      { check: 'origin builds', state: 'ok' },
    ]);
  });

  test('an origin whose cluster gets no replication', async () => {
    heal();
    await earshot('fault', 'replication', '--stop', 'europe');
    await cloud.earshot('weight', 'home', 'control=1', 'knn=1');
    await eventuallySeldom(async () => {
      const { findings } = await doctor();
      expect(findings).toContainEqual(
        expect.objectContaining({
          check: 'manifest',
          found: expect.stringMatching(/origin of europe serves version \d+, and the row has \d+/),
          remedy: expect.stringContaining('replication'),
        }),
      );
    });
  });

  test('a manifest that is broken', async () => {
    await writeManifestCell(bigtable, '{"version":', Date.now());
    const { code, findings } = await doctor();
    expect(code).toBe(1);
    expect(findings.find(({ check }) => check === 'manifest')).toMatchObject({
      state: 'failed',
      found: expect.stringContaining('the stored manifest is broken'),
    });
  });
});
