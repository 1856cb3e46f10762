// The local cloud: Bigtable, the data in it, three origins and the worker, started in the order in which they need each other.
import { join } from 'node:path';
import type { Clock } from '../shared/clock.ts';
import { type Backend, chooseBackend, describeBackend } from './backend.ts';
import { createChildren } from './children.ts';
import { type DataDirectory, readDataDirectory } from './data-directory.ts';
import { findListener, loadData } from './load-data.ts';
import type { StartOptions } from './options.ts';
import { requireFreePorts } from './ports.ts';
import { writeSample } from './sample.ts';
import { bigtableService, edgeService, originService } from './services.ts';
import { loadSecrets, recordChild, writeLocalCloud } from './state.ts';
import { makeRegions, WAN_PORT_OFFSET } from './topology.ts';
import { acceptsConnections, answersOk, waitUntil } from './wait.ts';
import { startWanProxy } from './wan-proxy.ts';

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

/** Throws an Error with one clear line, that of `interrupted` if it rejects first; nothing that was started is left running then. */
export async function startLocalCloud(
  options: StartOptions,
  { clock, interrupted }: { clock: Clock; interrupted: Promise<never> },
): Promise<RunningCloud> {
  const { ports, stateDirectory } = options;
  const regions = makeRegions(ports.origins);
  const originPort = (i: number): number => ports.origins + i + (options.wan ? WAN_PORT_OFFSET : 0);
  const backend = chooseBackend(process.env, ports.bigtable);
  const data = await findData(options, backend);
  await requireFreePorts(
    new Map([
      [ports.edge, 'the worker, --edge-port'],
      ...regions.flatMap(({ name }, i): [number, string][] => [
        [ports.origins + i, `the way to ${name}, --origin-port`],
        [originPort(i), `the origin in ${name}, --origin-port`],
      ]),
      ...(backend.kind === 'embedded' ? [[ports.bigtable, 'Bigtable, --bigtable-port'] as const] : []),
    ]),
  );
  const secrets = loadSecrets(stateDirectory);
  const children = createChildren({
    logDirectory: join(stateDirectory, 'logs'),
    clock,
    onStart: (pid) => recordChild(stateDirectory, pid),
  });
  const edgeUrl = `http://127.0.0.1:${ports.edge}`;

  async function startAll(): Promise<void> {
    if (backend.kind === 'embedded') children.start(bigtableService(ports.bigtable));
    children.start(edgeService(ports.edge, stateDirectory, secrets, regions));
    if (backend.kind === 'embedded') await waitUntil('Bigtable', () => acceptsConnections(ports.bigtable), clock);
    if (data !== undefined) await loadData(backend, data, clock.now());
    for (const [i, region] of regions.entries()) {
      children.start(originService(backend, secrets, region.name, originPort(i)));
      if (options.wan) await startWanProxy(region, originPort(i), clock);
    }
    for (const { name, origin } of regions)
      await waitUntil(`the origin in ${name}`, () => answersOk(`${origin}/readyz`), clock);
    await waitUntil('the worker', () => answersOk(`${edgeUrl}/healthz`), clock);
  }

  try {
    await Promise.race([startAll(), children.failure, interrupted]);
  } catch (error) {
    await children.stop();
    throw error;
  }
  const { project, instance, emulatorHost, clusters } = backend;
  writeLocalCloud(stateDirectory, { project, instance, emulatorHost, clusters, tokenSecret: secrets.token, edgeUrl });
  return {
    edgeUrl,
    tokenSecret: secrets.token,
    listener: data === undefined ? undefined : await findListener(data),
    parts: [
      `edge      ${edgeUrl} (wrangler dev)${options.wan ? ', the way to the regions as long as it is' : ''}`,
      ...regions.map(({ name, origin }) => `origin    ${origin} ${name}`),
      `bigtable  ${describeBackend(backend)}`,
    ],
    failure: children.failure,
    stop: () => children.stop(),
  };
}

/** The sample stands in only where nothing of anybody's can be touched. */
async function findData({ data, stateDirectory }: StartOptions, { kind }: Backend): Promise<DataDirectory | undefined> {
  if (data !== undefined) return readDataDirectory(data);
  if (kind === 'bigtable') return undefined;
  const directory = join(stateDirectory, 'sample');
  await writeSample(directory);
  return readDataDirectory(directory);
}
