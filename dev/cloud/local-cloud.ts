// The local cloud: Bigtable, its data, three origins behind region proxies, and the worker. Each part starts after the
// parts that it needs.
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
  /** A user with a list, for the welcome message; undefined if no data was loaded. */
  readonly listener: { readonly user: string; readonly surface: string } | undefined;
  /** One line per part: its name and address. */
  readonly parts: readonly string[];
  /** Rejects when a process ends that was not stopped. */
  readonly failure: Promise<never>;
  stop(): Promise<void>;
}

/**
 * Throws an Error with a one-line message, or the error of `interrupted` if that rejects first. Every started process
 * is then stopped.
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
        [ports.origins + i, `the region proxy of ${name}, --origin-port`],
        [originPort(i), `the origin in ${name}, --origin-port`],
      ]),
      ...(backend.kind === 'embedded'
        ? ([
            [ports.bigtable, 'Bigtable, --bigtable-port'],
            [bigtableControlPort, "Bigtable's control port, --bigtable-port"],
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
    // The control port answers only when Bigtable serves. An open Bigtable port may belong to the free-port check.
    if (backend.kind === 'embedded')
      await waitUntil('Bigtable to be ready', () => answersOk(`${bigtableControlUrl}/clusters`), clock);
    if (data !== undefined) await loadData(backend, data, clock.now());
    for (const [i, region] of regions.entries()) {
      children.start(originService(backend, secrets, region.name, originPort(i)));
      const proxyOptions = { targetPort: originPort(i), isFar: options.wan, clock, random: systemRandom };
      proxies.push(await startRegionProxy(region, proxyOptions));
    }
    for (const { name, origin } of regions)
      await waitUntil(`the origin in ${name} to be ready`, () => answersOk(`${origin}/readyz`), clock);
    await waitUntil('the worker to be ready', () => answersOk(`${edgeUrl}/healthz`), clock);
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
    ...{ project, instance, emulatorHost, clusters, tokenSecret: secrets.token, originSecret: secrets.origin, edgeUrl },
    regions: regions.map(({ name, origin }) => ({ name, origin })),
    regionControlUrl: `http://${CONTROL_HOST}:${control.port}`,
    bigtableControlUrl: backend.kind === 'embedded' ? bigtableControlUrl : undefined,
  });
  return {
    edgeUrl,
    tokenSecret: secrets.token,
    listener: data === undefined ? undefined : await findListener(data),
    parts: [
      `edge      ${edgeUrl} (wrangler dev)${options.wan ? ', calls to regions delayed by distance' : ''}`,
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
      return ['dev vars  .dev.vars: `npx wrangler dev` serves from this cloud'];
    case 'foreign':
      return ['dev vars  .dev.vars is not from `npm start` and is not changed: `npx wrangler dev` reads it'];
    case 'none':
      return [];
  }
}

/** The built-in sample is loaded only if the backend is not Cloud Bigtable. */
async function findData({ data, stateDirectory }: StartOptions, { kind }: Backend): Promise<DataDirectory | undefined> {
  if (data !== undefined) return readDataDirectory(data);
  if (kind === 'bigtable') return undefined;
  const directory = join(stateDirectory, 'sample');
  await writeSample(directory);
  return readDataDirectory(directory);
}
