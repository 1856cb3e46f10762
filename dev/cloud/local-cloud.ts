// The local cloud: Bigtable, the data in it, three origins with the ways to them, and the worker, started in the order
// in which they need each other.
import { join } from 'node:path';
import type { Clock } from '../../shared/runtime/clock.ts';
import { systemRandom } from '../../shared/runtime/random.ts';
import { type Backend, chooseBackend, describeBackend } from '../backend.ts';
import { CONTROL_HOST, startControlListener } from '../control-listener.ts';
import { type DataDirectory, readDataDirectory } from '../data/data-directory.ts';
import { findListener, loadData } from '../data/load-data.ts';
import { writeSample } from '../data/sample.ts';
import { requireFreePorts } from '../ports.ts';
import { createRegionControl } from '../region-proxy/control.ts';
import { type RegionProxy, startRegionProxy } from '../region-proxy/proxy.ts';
import { BEHIND_PORT_OFFSET, makeRegions } from '../topology.ts';
import { createChildren } from './children.ts';
import { type DevVarsOutcome, devVarsPlace, writeDevVars } from './dev-vars.ts';
import type { StartOptions } from './options.ts';
import { bigtableService, edgeService, edgeVariables, originService } from './services.ts';
import { loadSecrets, recordChild, writeLocalCloud } from './state.ts';
import { answersOk, waitUntil } from './wait.ts';

export interface RunningCloud {
  readonly edgeUrl: string;
  /** Signs tokens that the worker accepts. */
  readonly tokenSecret: string;
  /** Somebody to try things with; undefined where nothing was loaded. */
  readonly listener: { readonly user: string; readonly surface: string } | undefined;
  /** What runs where, a line each. */
  readonly parts: readonly string[];
  /** Rejects when a process ends that was not stopped. */
  readonly failure: Promise<never>;
  stop(): Promise<void>;
}

/**
 * Throws an Error with one clear line, that of `interrupted` if it rejects first; nothing that was started is left
 * running then.
 */
export async function startLocalCloud(
  options: StartOptions,
  { clock, interrupted }: { clock: Clock; interrupted: Promise<never> },
): Promise<RunningCloud> {
  const { ports, stateDirectory } = options;
  const regions = makeRegions(ports.origins);
  const originPort = (i: number): number => ports.origins + i + BEHIND_PORT_OFFSET;
  const bigtableControlPort = ports.bigtable + BEHIND_PORT_OFFSET;
  const bigtableControlUrl = `http://${CONTROL_HOST}:${bigtableControlPort}`;
  const backend = chooseBackend(process.env, ports.bigtable);
  const data = await findData(options, backend);
  await requireFreePorts(
    new Map([
      [ports.edge, 'the worker, --edge-port'],
      ...regions.flatMap(({ name }, i): [number, string][] => [
        [ports.origins + i, `the way to ${name}, --origin-port`],
        [originPort(i), `the origin in ${name}, --origin-port`],
      ]),
      ...(backend.kind === 'embedded'
        ? ([
            [ports.bigtable, 'Bigtable, --bigtable-port'],
            [bigtableControlPort, 'the control of Bigtable, --bigtable-port'],
          ] as const)
        : []),
    ]),
  );
  const secrets = loadSecrets(stateDirectory);
  const variables = edgeVariables(secrets, regions, options.cors);
  const devVars = writeDevVars(devVarsPlace(stateDirectory), variables);
  const children = createChildren({
    logDirectory: join(stateDirectory, 'logs'),
    clock,
    onStart: (pid) => recordChild(stateDirectory, pid),
  });
  const edgeUrl = `http://127.0.0.1:${ports.edge}`;
  const proxies: RegionProxy[] = [];
  const closeProxies = async (): Promise<void> => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  };

  async function startAll(): Promise<void> {
    if (backend.kind === 'embedded') children.start(bigtableService(ports.bigtable, bigtableControlPort));
    children.start(edgeService(ports.edge, stateDirectory, variables));
    // Its control answers only once it serves, while a port that takes connections may be one that is only being tried.
    if (backend.kind === 'embedded')
      await waitUntil('Bigtable', () => answersOk(`${bigtableControlUrl}/clusters`), clock);
    if (data !== undefined) await loadData(backend, data, clock.now());
    for (const [i, region] of regions.entries()) {
      children.start(originService(backend, secrets, region.name, originPort(i)));
      const way = { targetPort: originPort(i), isFar: options.wan, clock, random: systemRandom };
      proxies.push(await startRegionProxy(region, way));
    }
    for (const { name, origin } of regions)
      await waitUntil(`the origin in ${name}`, () => answersOk(`${origin}/readyz`), clock);
    await waitUntil('the worker', () => answersOk(`${edgeUrl}/healthz`), clock);
  }

  try {
    await Promise.race([startAll(), children.failure, interrupted]);
  } catch (error) {
    await Promise.all([children.stop(), closeProxies()]);
    throw error;
  }
  const control = await startControlListener(createRegionControl(proxies), 0);
  const { project, instance, emulatorHost, clusters } = backend;
  writeLocalCloud(stateDirectory, {
    ...{ project, instance, emulatorHost, clusters, tokenSecret: secrets.token, edgeUrl },
    regions: regions.map(({ name, origin }) => ({ name, origin })),
    regionControlUrl: `http://${CONTROL_HOST}:${control.port}`,
    bigtableControlUrl: backend.kind === 'embedded' ? bigtableControlUrl : undefined,
  });
  return {
    edgeUrl,
    tokenSecret: secrets.token,
    listener: data === undefined ? undefined : await findListener(data),
    parts: [
      `edge      ${edgeUrl} (wrangler dev)${options.wan ? ', the way to the regions as long as it is' : ''}`,
      ...regions.map(({ name, origin }) => `origin    ${origin} ${name}`),
      `bigtable  ${describeBackend(backend)}`,
      ...describeDevVars(devVars),
    ],
    failure: children.failure,
    stop: async () => {
      await Promise.all([children.stop(), closeProxies(), control.close()]);
    },
  };
}

function describeDevVars(outcome: DevVarsOutcome): string[] {
  switch (outcome) {
    case 'written':
      return ['dev vars  .dev.vars: `npx wrangler dev` serves from this cloud, too'];
    case 'foreign':
      return ['dev vars  .dev.vars is not from `npm start` and stays as it is: `npx wrangler dev` reads that one'];
    case 'none':
      return [];
  }
}

/** The sample stands in only where nothing of anybody's can be touched. */
async function findData({ data, stateDirectory }: StartOptions, { kind }: Backend): Promise<DataDirectory | undefined> {
  if (data !== undefined) return readDataDirectory(data);
  if (kind === 'bigtable') return undefined;
  const directory = join(stateDirectory, 'sample');
  await writeSample(directory);
  return readDataDirectory(directory);
}
