// Differences between the planned services and an origin: its configuration, its ports and paths, its image, and the
// regions of the worker.
import { Hono } from 'hono';
import { readDockerfile } from '../../../bench/rigs/origin-image.ts';
import { ORIGIN_VARIABLES, type OriginConfig, readOriginConfig } from '../../../origin/config.ts';
import { addHealth } from '../../../origin/http/health.ts';
import { isLoopback } from '../../../shared/config/loopback.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import { makeRandomSecret } from '../../support/random-secret.ts';
import type { Instance } from '../../support/terraform/plan.ts';

/** Cloud Run kills an instance so many milliseconds after SIGTERM. */
const KILL_AFTER_MS = 10_000;
const MIB = 1024 * 1024;
/** Node, its heap, gRPC, and the bodies of requests. */
const LEAST_NODE_MIB = 384;
/** Cloud Run sets it. */
const RESERVED = ['PORT', 'K_SERVICE', 'K_REVISION', 'K_CONFIGURATION'];
/** Places of Google Cloud's regions: docs of dev/topology.ts. */
const PLACES: Readonly<Record<string, readonly [latitude: number, longitude: number]>> = {
  'asia-southeast1': [1.35, 103.82],
  'europe-west1': [50.45, 3.82],
  'us-central1': [41.26, -95.86],
};

// Plans are data of any shape: a wrong one gives a line, not an exception.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;

export interface Surroundings {
  /** REGIONS of the worker. */
  readonly regions: readonly Region[];
  readonly clusters: Readonly<Record<string, string>>;
}

/** One line for each difference. */
export async function judgeOrigins(plan: readonly Instance[], { regions, clusters }: Surroundings): Promise<string[]> {
  const services = plan.filter(({ type }) => type === 'google_cloud_run_v2_service');
  const profiles = plan
    .filter(({ type }) => type === 'google_bigtable_app_profile')
    .map(({ values }) => values.app_profile_id);
  const faults: string[] = [];
  for (const { key, values } of services)
    for (const fault of await judgeService(values, profiles)) faults.push(`service ${key}: ${fault}`);
  return [...faults, ...judgeRegions(services, regions), ...judgeClusters(plan, services, clusters)];
}

async function judgeService(values: Instance['values'], profiles: readonly unknown[]): Promise<string[]> {
  const template = (values.template as Any)?.[0] ?? {};
  const container = template.containers?.[0] ?? {};
  const { faults, config } = judgeEnvironment(container);
  if (config === undefined) return faults;
  return [
    ...faults,
    ...judgeCapacity(template, container, config),
    ...(await judgeProbes(container, config)),
    ...judgeSetting(values, template, container, config, profiles),
  ];
}

interface Environment {
  readonly faults: string[];
  readonly config?: OriginConfig;
}

/** The configuration that an origin reads from the image and the service. */
function judgeEnvironment(container: Any): Environment {
  const variables: Any[] = container.env ?? [];
  const names = variables.map(({ name }) => String(name));
  const faults = [
    ...names.filter((name) => !ORIGIN_VARIABLES.includes(name)).map((name) => `${name} is no variable of an origin`),
    ...names.filter((name) => RESERVED.includes(name)).map((name) => `${name} is set by Cloud Run`),
    ...names.filter((name, i) => names.indexOf(name) !== i).map((name) => `${name} is set twice`),
    ...variables
      .filter(({ name, value_source: source }) => /SECRET/.test(name) !== (source !== undefined))
      .map(({ name }) => `${name}: expected a secret to come from Secret Manager, and nothing else`),
  ];
  const env = Object.fromEntries(
    variables.map(({ name, value }) => [name, value === undefined ? makeRandomSecret() : String(value)]),
  );
  const port = String(container.ports?.[0]?.container_port);
  try {
    return { faults, config: readOriginConfig({ ...readDockerfile().env, PORT: port, ...env }) };
  } catch (error) {
    return { faults: [...faults, (error as Error).message] };
  }
}

function judgeCapacity(template: Any, container: Any, config: OriginConfig): string[] {
  const { cpu, memory } = container.resources?.[0]?.limits ?? {};
  const [, mib] = /^(\d+)Mi$/.exec(memory) ?? [];
  const cachesMib = (config.listCacheBytes + config.itemCacheBytes) / MIB;
  const concurrency = template.max_instance_request_concurrency;
  const { min_instance_count: min, max_instance_count: max } = template.scaling?.[0] ?? {};
  return [
    ...(Number(mib) >= cachesMib + LEAST_NODE_MIB
      ? []
      : [`expected memory for ${cachesMib} MiB of caches and Node, got ${memory}`]),
    ...(cpu === '1' && !config.reusePort ? [] : [`expected one CPU for one process, got ${cpu}`]),
    ...(concurrency <= config.maxConnections && concurrency <= 1000 ? [] : [`concurrency ${concurrency} is too high`]),
    ...(min >= 2 && max > min ? [] : [`expected at least 2 instances and room for more, got ${min} to ${max}`]),
    ...(config.drainDelayMs + config.drainTimeoutMs < KILL_AFTER_MS
      ? []
      : [`expected a drain of less than ${KILL_AFTER_MS} ms, got ${config.drainDelayMs} + ${config.drainTimeoutMs}`]),
  ];
}

async function judgeProbes(container: Any, config: OriginConfig): Promise<string[]> {
  const app = new Hono();
  const manifests = { latest: () => undefined, failure: () => undefined };
  addHealth(
    app,
    { manifests, isWarm: () => true, whyCold: () => undefined, isDraining: () => false },
    { withReason: false },
  );
  const faults: string[] = [];
  const wanted = [
    ['startup_probe', '/readyz'],
    ['liveness_probe', '/livez'],
  ] as const;
  for (const [name, path] of wanted) {
    const probe = container[name]?.[0]?.http_get?.[0] ?? {};
    if (probe.path !== path || (await app.request(path)).status === 404)
      faults.push(`${name}: expected the path ${path}, got ${probe.path}`);
    if (probe.port !== config.port) faults.push(`${name}: expected port ${config.port}, got ${probe.port}`);
  }
  return faults;
}

function judgeSetting(
  values: Instance['values'],
  template: Any,
  container: Any,
  config: OriginConfig,
  profiles: readonly unknown[],
): string[] {
  const resources = container.resources?.[0] ?? {};
  const wantedProfiles = [config.appProfile, config.hedgeProfile];
  return [
    ...(isLoopback(config.host) ? ['HOST is the loopback address'] : []),
    ...(isLoopback(config.metricsHost) ? [] : ['the metrics can be reached from outside']),
    ...(resources.cpu_idle === false ? [] : ['expected the CPU to be always allocated']),
    ...(values.deletion_protection === true ? [] : ['not protected from deletion']),
    ...(values.ingress === 'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER' ? [] : [`ingress is ${values.ingress}`]),
    ...(values.invoker_iam_disabled === true ? [] : ['the worker has no identity of Google']),
    ...(String(template.service_account).includes('google_service_account.origin')
      ? []
      : ['not the account of origins']),
    ...(/@sha256:[0-9a-f]{64}$/.test(container.image) ? [] : ['expected an image with its digest']),
    ...(config.port === Number(readDockerfile().env.PORT) ? [] : ['the port is not that of the image']),
    ...wantedProfiles.filter((each) => !profiles.includes(each)).map((each) => `no app profile ${each}`),
  ];
}

/** The regions of the worker have a service each, at their place and under their host. */
function judgeRegions(services: readonly Instance[], regions: readonly Region[]): string[] {
  const planned = services.map(({ key }) => key).sort();
  const named = regions.map(({ name }) => name).sort();
  const faults = planned.join() === named.join() ? [] : [`expected services in ${named}, got ${planned}`];
  for (const { key, values } of services) {
    const env = ((values.template as Any)?.[0]?.containers?.[0]?.env ?? []) as Any[];
    const region = env.find(({ name }) => name === 'EARSHOT_REGION')?.value;
    if (region !== key) faults.push(`service ${key}: expected EARSHOT_REGION to be ${key}, got ${region}`);
    const { latitude, longitude } = regions.find(({ name }) => name === key) ?? {};
    if (PLACES[String(values.location)]?.join() !== [latitude, longitude].join())
      faults.push(`service ${key}: ${values.location} is not at ${latitude}, ${longitude}`);
  }
  return faults;
}

/** A cluster beside each service. */
function judgeClusters(
  plan: readonly Instance[],
  services: readonly Instance[],
  wanted: Surroundings['clusters'],
): string[] {
  const instance = plan.find(({ type }) => type === 'google_bigtable_instance');
  const clusters = (instance?.values.cluster ?? []) as Any[];
  const faults: string[] = [];
  if (clusters.length !== services.length) faults.push(`expected ${services.length} clusters, got ${clusters.length}`);
  for (const { key, values } of services) {
    const cluster = clusters.find(({ cluster_id: id }) => id === wanted[key ?? '']);
    if (!String(cluster?.zone).startsWith(`${values.location}-`))
      faults.push(`cluster ${wanted[key ?? '']}: expected a zone of ${values.location}, got ${cluster?.zone}`);
    const { min_nodes: min, max_nodes: max } = cluster?.autoscaling_config?.[0] ?? {};
    if (!(min >= 1 && max > min))
      faults.push(`cluster ${cluster?.cluster_id}: expected autoscaling, got ${min} to ${max}`);
  }
  return faults;
}
