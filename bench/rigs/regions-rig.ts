// The deployed worker in `workerd serve` with Durable Objects, and three origins behind region proxies in front of an
// embedded Bigtable. The callers are in Tokyo.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RegionProxy, startRegionProxy } from '../../dev/region-proxy/proxy.ts';
import { DEV_LOCATIONS, makeRegions } from '../../dev/topology.ts';
import type { RegionFault } from '../../ops/fault/region-fault.ts';
import { DEFAULT_LIFETIME_MS, mintToken } from '../../ops/token/mint-token.ts';
import { LISTENER_AUDIENCE } from '../../shared/domain/identity.ts';
import { DEV_LOCATION_HEADER } from '../../shared/domain/regions.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { systemRandom } from '../../shared/runtime/random.ts';
import { type EdgeStatus, edgeStatusSchema, STATUS_PATH } from '../../shared/wire/edge-status.ts';
import { makeHttpRequest } from '../load/load.ts';
import { type Phase, type PhaseReport, runOpenLoad } from '../load/open-load.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { findFreePorts } from '../support/free-ports.ts';
import { fillTable, makeListener, type TableOptions, tableAddress } from '../support/table-data.ts';
import { TOKEN_SECRET } from './edge-asks.ts';
import { BENCH_SECRET, type OriginProcess, startOriginProcess } from './origin-process.ts';
import { startBigtable } from './processes.ts';
import { bundleEdge } from './worker-bundle.ts';
import { startWorkerd, type Workerd } from './workerd.ts';

/** Number of listeners with a list. */
export const USERS = 20_000;
export const REGION_NAMES = ['asia', 'europe', 'us'] as const;
const FROM = 'NRT';

export interface RegionsRig {
  readonly worker: Workerd;
  /** `host:port` of the embedded Bigtable. */
  readonly tableHost: string;
  /** The origins themselves, without the proxies, in the order of the regions. */
  readonly origins: readonly OriginProcess[];
  /** Cache-Status of a read of `user`'s list. */
  cacheStatusOf(user: string): Promise<string>;
  /** Reads of `user(0)`, `user(1)` and so on, at the rates of the phases. */
  load(read: ReadsOf, ...phases: Phase[]): Promise<PhaseReport[]>;
  setFault(fault: RegionFault, ...names: readonly string[]): Promise<void>;
  /** Sets the fault of a cluster of the embedded Bigtable. */
  setClusterFault(name: string, fault: object): Promise<void>;
  status(): Promise<EdgeStatus>;
  /** Sum of a metric over all origins and labels. */
  sumOfOrigins(name: string): Promise<number>;
}

export interface ReadsOf {
  readonly user: (i: number) => string;
  /** Default: popular lists. */
  readonly fallback?: 'none';
  readonly headers?: Readonly<Record<string, string>>;
}

interface RegionsRigOptions {
  /** Whether the proxies delay calls by the round trip from Tokyo. */
  readonly isFar: boolean;
  /** Additional variables of the worker. */
  readonly bindings?: Readonly<Record<string, string>>;
  readonly table?: TableOptions;
  /** `HOST:PORT` of the HTTP service behind each queue, by binding name. Default: none. */
  readonly queues?: Readonly<Record<string, string>>;
  /** Default: no inspector, because it costs time. */
  readonly withInspector?: boolean;
}

export async function createRegionsRig(
  cleanup: Cleanup,
  { isFar, bindings = {}, table, queues = {}, withInspector = false }: RegionsRigOptions,
): Promise<RegionsRig> {
  const bigtable = await startBigtable();
  cleanup.add(bigtable.stop);
  await fillTable(tableAddress(bigtable.env.BIGTABLE_EMULATOR_HOST ?? ''), USERS, table);
  const ports = await findFreePorts(REGION_NAMES.length);
  const regions = makeRegions(0).map((region, i) => ({ ...region, origin: `http://127.0.0.1:${ports[i]}` }));
  const proxies = new Map<string, RegionProxy>();
  const origins: OriginProcess[] = [];
  for (const region of regions) {
    const env = { ...bigtable.env, EARSHOT_REGION: region.name, EARSHOT_LIST_CACHE_BYTES: '0' };
    const origin = await startOriginProcess(cleanup, env);
    origins.push(origin);
    const proxy = await startRegionProxy(region, {
      targetPort: origin.port,
      isFar,
      clock: systemClock,
      random: systemRandom,
    });
    cleanup.add(proxy.close);
    proxies.set(region.name, proxy);
  }
  const directory = mkdtempSync(join(tmpdir(), 'earshot-bench-'));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  const bundle = await bundleEdge(directory);
  const worker = await startWorkerd({
    bundle,
    bindings: {
      ...bundle.vars,
      ENVIRONMENT: 'local',
      REGIONS: JSON.stringify(regions),
      DEV_LOCATIONS: JSON.stringify(DEV_LOCATIONS),
      TOKEN_SECRET,
      ORIGIN_SECRET: BENCH_SECRET,
      ...bindings,
    },
    objects: { REGION_CACHE: 'RegionCache' },
    queues,
    isQuiet: true,
    withInspector,
  });
  cleanup.add(worker.stop);
  const claims = {
    scope: ['recs:read:any' as const, 'recs:status' as const],
    audience: LISTENER_AUDIENCE,
    expires: DEFAULT_LIFETIME_MS,
  };
  const common = {
    authorization: `Bearer ${await mintToken({ user: 'bench', ...claims }, TOKEN_SECRET)}`,
    [DEV_LOCATION_HEADER]: FROM,
  };

  return {
    worker,
    tableHost: bigtable.env.BIGTABLE_EMULATOR_HOST ?? '',
    origins,
    cacheStatusOf: async (user) => {
      const url = `http://127.0.0.1:${worker.port}/v1/users/${user}/recommendations/home`;
      const { authorization } = common;
      const response = await fetch(url, { headers: { authorization } });
      await response.body?.cancel();
      return response.headers.get('cache-status') ?? '';
    },
    load: ({ user, fallback, headers = {} }, ...phases) => {
      const count = Math.ceil(
        phases.reduce((sum, { perSecond, durationMs }) => sum + (perSecond * durationMs) / 1000, 0),
      );
      const query = fallback === undefined ? '' : `?fallback=${fallback}`;
      const requests = Array.from({ length: count }, (_, i) =>
        makeHttpRequest(`/v1/users/${user(i)}/recommendations/home${query}`, { ...common, ...headers }),
      );
      return runOpenLoad({ port: worker.port, requests, maxConnections: 512, phases });
    },
    setFault: async (fault, ...names) => {
      for (const name of names) await proxies.get(name)?.setFault(fault);
    },
    setClusterFault: async (name, fault) => {
      const body = JSON.stringify(fault);
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${bigtable.controlUrl}/clusters/${name}/fault`, { method: 'PUT', headers, body });
      if (!response.ok) throw new Error(`expected the fault to be set, got ${await response.text()}`);
    },
    status: async () => {
      const response = await fetch(`http://127.0.0.1:${worker.port}${STATUS_PATH}`, { headers: common });
      return edgeStatusSchema.parse(await response.json());
    },
    sumOfOrigins: async (name) => {
      const pages = await Promise.all(
        origins.map(async ({ metricsUrl }) => (await fetch(`${metricsUrl}/metrics`)).text()),
      );
      const values = pages.flatMap((page) => [...page.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'gm'))]);
      return values.reduce((sum, [, value]) => sum + Number(value), 0);
    },
  };
}

/** Each list once, in order, until none is left. */
export function eachOnce(): (i: number) => string {
  let next = 0;
  return () => makeListener(next++ % USERS);
}
