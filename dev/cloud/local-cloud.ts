// The local cloud: Bigtable, its data, three origins behind region proxies, and the worker. Each part starts after the
// parts that it needs.
import { join } from 'node:path';
import type { Clock } from '../../shared/runtime/clock.ts';
import { systemRandom } from '../../shared/runtime/random.ts';
import { type Backend, chooseBackend } from '../backend.ts';
import { CONTROL_HOST, type ControlListener, startControlListener } from '../control-listener.ts';
import { type DataDirectory, readDataDirectory } from '../data/data-directory.ts';
import { loadData } from '../data/load-data.ts';
import { writeSample } from '../data/sample.ts';
import { requireFreePorts } from '../ports.ts';
import { createSupervisor, type Supervisor } from '../processes/supervisor.ts';
import { untilReady } from '../processes/wait.ts';
import { type RegionProxy, startRegionProxy } from '../region-proxy/proxy.ts';
import { BEHIND_PORT_OFFSET, METRICS_PORT_OFFSET, makeRegions, type Ports } from '../topology.ts';
import { createCollector } from '../traces/collector.ts';
import { createCloudControl } from './control.ts';
import { type DevVarsOutcome, devVarsPlace, writeDevVars } from './dev-vars.ts';
import type { StartOptions } from './options.ts';
import { requireReachable } from './real-instance.ts';
import { bigtableService, EDGE_CONFIG, edgeService, edgeVariables, guardService, originService } from './services.ts';
import { loadSecrets, recordChildren, type Secrets, writeLocalCloud } from './state.ts';
import { writeTracedWorker } from './traced-worker.ts';

export interface RunningCloud {
  readonly options: StartOptions;
  readonly backend: Backend;
  readonly data: DataDirectory | undefined;
  readonly edgeUrl: string;
  readonly devVars: DevVarsOutcome;
  /** Base address of the collector of spans. */
  readonly tracesUrl: string | undefined;
  /** Rejects when a part has ended for good. */
  readonly failure: Promise<never>;
  stop(): Promise<void>;
}

interface Surroundings {
  readonly clock: Clock;
  readonly interrupted: Promise<never>;
  /** Called with each step of the start, in a few words. */
  readonly onStep: (step: string) => void;
}

/** Shared by the steps of a start. */
interface Starting extends Surroundings {
  readonly options: StartOptions;
  readonly backend: Backend;
  readonly data: DataDirectory | undefined;
  readonly secrets: Secrets;
  readonly supervisor: Supervisor;
  readonly proxies: RegionProxy[];
  /** Base address of the collector of spans. */
  readonly tracesUrl: string | undefined;
}

const controlPortOf = ({ bigtable }: Ports): number => bigtable + BEHIND_PORT_OFFSET;
const originPortOf = ({ origins }: Ports, i: number): number => origins + i + BEHIND_PORT_OFFSET;
const metricsPortOf = ({ origins }: Ports, i: number): number => origins + i + METRICS_PORT_OFFSET;
const edgeUrlOf = ({ edge }: Ports): string => `http://127.0.0.1:${edge}`;

/**
 * Throws an Error with a one-line message, or the error of `interrupted` if that rejects first. Every started process
 * is then stopped.
 */
export async function startLocalCloud(options: StartOptions, surroundings: Surroundings): Promise<RunningCloud> {
  const { ports, stateDirectory } = options;
  const backend = chooseBackend(process.env, ports.bigtable, options.real);
  const data = await findData(options, backend);
  await requireFreePorts(wantedPorts(ports, backend));
  if (backend.kind === 'bigtable') await requireReachable(backend);
  const secrets = loadSecrets(stateDirectory);
  const supervisor = createSupervisor({
    logDirectory: join(stateDirectory, 'logs'),
    clock: surroundings.clock,
    onStart: (pids) => recordChildren(stateDirectory, pids),
  });
  const collector = options.traces === true ? await startControlListener(createCollector(), 0) : undefined;
  const tracesUrl = options.traces === true ? `http://${CONTROL_HOST}:${collector?.port}` : options.traces;
  const parts = { options, backend, data, secrets, supervisor, proxies: [], tracesUrl };
  const starting: Starting = { ...surroundings, ...parts };
  let control: ControlListener | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all([
      supervisor.stop(),
      control?.close(),
      collector?.close(),
      ...starting.proxies.map((proxy) => proxy.close()),
    ]);
  };
  try {
    const devVars = await Promise.race([startParts(starting), supervisor.failure, surroundings.interrupted]);
    control = await startControlListener(createCloudControl(starting.proxies, supervisor), 0);
    describeForCommands(starting, control.port);
    return {
      options,
      backend,
      data,
      tracesUrl: starting.tracesUrl,
      edgeUrl: edgeUrlOf(ports),
      devVars,
      failure: supervisor.failure,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts(starting: Starting): Promise<DevVarsOutcome> {
  const { options, backend, data, secrets, supervisor, clock, onStep } = starting;
  const { ports, stateDirectory, wan } = options;
  const regions = makeRegions(ports.origins);
  const { tracesUrl } = starting;
  const variables = { ...edgeVariables(secrets, regions, options.cors), ...(tracesUrl && { TRACE_RATIO: '1' }) };
  const devVars = writeDevVars(devVarsPlace(stateDirectory), variables);
  const start = (spec: Parameters<Supervisor['start']>[0]): Promise<void> => {
    const started = supervisor.start(spec);
    // Its failure ends the start before this promise is awaited.
    started.catch(() => undefined);
    return untilReady(spec.name, started, { ...spec, logFile: supervisor.logFileOf(spec.name), clock });
  };
  await start(guardService(stateDirectory));
  const configs =
    tracesUrl === undefined ? [EDGE_CONFIG] : await writeTracedWorker(stateDirectory, `${tracesUrl}/v1/traces`);
  const edge = start(edgeService(ports.edge, stateDirectory, configs, variables));
  edge.catch(() => undefined);
  onStep('starting Bigtable');
  if (backend.kind === 'embedded') await start(bigtableService(ports.bigtable, controlPortOf(ports), stateDirectory));
  if (data !== undefined)
    await loadData(backend, data, { nowMs: clock.now(), logFile: join(stateDirectory, 'logs/load.log'), onStep });
  onStep('starting the origins');
  const origins = regions.map(({ name: region }, i) => {
    const place = { region, port: originPortOf(ports, i), metricsPort: metricsPortOf(ports, i), tracesUrl };
    return start(originService(backend, secrets, place));
  });
  for (const [i, region] of regions.entries()) {
    const proxyOptions = { targetPort: originPortOf(ports, i), isFar: wan, clock, random: systemRandom };
    starting.proxies.push(await startRegionProxy(region, proxyOptions));
  }
  await Promise.all(origins);
  onStep('starting the worker');
  await edge;
  return devVars;
}

function describeForCommands({ options, backend, secrets, tracesUrl }: Starting, controlPort: number): void {
  const { ports, stateDirectory } = options;
  const { project, instance, emulatorHost, clusters } = backend;
  writeLocalCloud(stateDirectory, {
    ...{ project, instance, emulatorHost, clusters, edgeUrl: edgeUrlOf(ports) },
    ...{ tokenSecret: secrets.token, originSecret: secrets.origin, hashKey: secrets.hash },
    regions: makeRegions(ports.origins).map(({ name, origin }, i) => ({
      ...{ name, origin },
      metrics: `http://127.0.0.1:${metricsPortOf(ports, i)}`,
    })),
    tracesUrl,
    controlUrl: `http://${CONTROL_HOST}:${controlPort}`,
    bigtableControlUrl: backend.kind === 'embedded' ? `http://${CONTROL_HOST}:${controlPortOf(ports)}` : undefined,
  });
}

/** Purpose by port. */
function wantedPorts(ports: Ports, { kind }: Backend): Map<number, string> {
  const wanted = new Map([[ports.edge, 'the worker, --edge-port']]);
  for (const [i, { name }] of makeRegions(ports.origins).entries()) {
    wanted.set(ports.origins + i, `the region proxy of ${name}, --origin-port`);
    wanted.set(originPortOf(ports, i), `the origin in ${name}, --origin-port`);
    wanted.set(metricsPortOf(ports, i), `the metrics of the origin in ${name}, --origin-port`);
  }
  if (kind !== 'embedded') return wanted;
  wanted.set(ports.bigtable, 'Bigtable, --bigtable-port');
  return wanted.set(controlPortOf(ports), "Bigtable's control port, --bigtable-port");
}

/** The built-in sample is loaded only if the backend is not Cloud Bigtable. */
async function findData({ data, stateDirectory }: StartOptions, { kind }: Backend): Promise<DataDirectory | undefined> {
  if (data !== undefined) return readDataDirectory(data);
  if (kind === 'bigtable') return undefined;
  const directory = join(stateDirectory, 'sample');
  writeSample(directory);
  return readDataDirectory(directory);
}
