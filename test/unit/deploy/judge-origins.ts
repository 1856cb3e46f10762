// Differences between the planned services and an origin: its configuration, its ports and paths, its image, and the
// regions of the worker.
import { Hono } from 'hono';
import { readDockerfile } from '../../../bench/rigs/origin-image.ts';
import { ORIGIN_VARIABLES, type OriginConfig, readOriginConfig } from '../../../origin/config.ts';
import { addHealth } from '../../../origin/http/health.ts';
import { isLoopback } from '../../../shared/config/loopback.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import { makeRandomSecret } from '../../support/random-secret.ts';
import { dig, digAll, type Instance } from '../../support/terraform/plan.ts';

/** Cloud Run kills an instance so many milliseconds after SIGTERM. */
const KILL_AFTER_MS = 10_000;
const MIB = 1024 * 1024;
/** Node, its heap, gRPC, and the bodies of requests. */
const LEAST_NODE_MIB = 384;
const MAX_CLOUD_RUN_CONCURRENCY = 1000;
/** Cloud Run sets them. */
const RESERVED = ['PORT', 'K_SERVICE', 'K_REVISION', 'K_CONFIGURATION'];
/** Places of Google Cloud's regions: Singapore, Belgium, Iowa. */
const PLACES: Readonly<Record<string, readonly [latitude: number, longitude: number]>> = {
  'asia-southeast1': [1.35, 103.82],
  'europe-west1': [50.45, 3.82],
  'us-central1': [41.26, -95.86],
};

export interface Surroundings {
  /** REGIONS of the worker. */
  readonly regions: readonly Region[];
  /** Cluster by region. */
  readonly clusters: Readonly<Record<string, string>>;
}

const ofType = (plan: readonly Instance[], type: string): Instance[] => plan.filter((each) => each.type === type);

/** One line for each difference. */
export async function judgeOrigins(plan: readonly Instance[], { regions, clusters }: Surroundings): Promise<string[]> {
  const services = ofType(plan, 'google_cloud_run_v2_service');
  const profiles = ofType(plan, 'google_bigtable_app_profile').map(({ values }) => values.app_profile_id);
  const faults: string[] = [];
  for (const { key, values } of services)
    for (const fault of await judgeService(values, profiles)) faults.push(`service ${key}: ${fault}`);
  return [...faults, ...judgeRegions(services, regions), ...judgeClusters(plan, services, clusters)];
}

type Service = Instance['values'];

async function judgeService(service: Service, profiles: readonly unknown[]): Promise<string[]> {
  const { faults, config } = readEnvironment(service);
  if (config === undefined) return faults;
  return [
    ...faults,
    ...judgeCapacity(service, config),
    ...(await judgeProbes(service, config)),
    ...judgeReach(service, config),
    ...judgeIdentity(service),
    ...[config.appProfile, config.hedgeProfile]
      .filter((each) => !profiles.includes(each))
      .map((each) => `no app profile ${each}`),
  ];
}

interface Environment {
  readonly faults: string[];
  readonly config?: OriginConfig;
}

/** The configuration that an origin reads from the image and the service. */
function readEnvironment(service: Service): Environment {
  const variables = digAll(service, 'template.containers.env');
  const names = variables.map((each) => String(dig(each, 'name')));
  const isFromSecret = (each: unknown): boolean => dig(each, 'value_source.secret_key_ref.secret') !== undefined;
  const faults = [
    ...names.filter((name) => !ORIGIN_VARIABLES.includes(name)).map((name) => `${name} is no variable of an origin`),
    ...names.filter((name) => RESERVED.includes(name)).map((name) => `${name} is set by Cloud Run`),
    ...names.filter((name, i) => names.indexOf(name) !== i).map((name) => `${name} is set twice`),
    ...names
      .filter((name, i) => /SECRET/.test(name) !== isFromSecret(variables[i]))
      .map((name) => `${name}: expected secrets, and nothing else, to come from Secret Manager`),
  ];
  const values = variables.map((each) => (isFromSecret(each) ? makeRandomSecret() : String(dig(each, 'value'))));
  const given = Object.fromEntries(names.map((name, i) => [name, values[i]]));
  const port = String(dig(service, 'template.containers.ports.container_port'));
  try {
    return { faults, config: readOriginConfig({ ...readDockerfile().env, PORT: port, ...given }) };
  } catch (error) {
    return { faults: [...faults, (error as Error).message] };
  }
}

/** A list of one fault, or of none. */
const unless = (isRight: boolean, fault: string): string[] => (isRight ? [] : [fault]);

function judgeCapacity(service: Service, config: OriginConfig): string[] {
  const { drainDelayMs, drainTimeoutMs } = config;
  const { cpu, memory } = dig(service, 'template.containers.resources.limits') as Record<string, string>;
  const [, mib] = /^(\d+)Mi$/.exec(memory ?? '') ?? [];
  const cachesMib = (config.listCacheBytes + config.itemCacheBytes) / MIB;
  const concurrency = Number(dig(service, 'template.max_instance_request_concurrency'));
  const min = Number(dig(service, 'template.scaling.min_instance_count'));
  const max = Number(dig(service, 'template.scaling.max_instance_count'));
  return [
    ...unless(
      Number(mib) >= cachesMib + LEAST_NODE_MIB,
      `expected memory for ${cachesMib} MiB of caches and Node, got ${memory}`,
    ),
    ...unless(cpu === '1' && !config.reusePort, `expected one CPU for one process, got ${cpu}`),
    ...unless(
      concurrency <= config.maxConnections && concurrency <= MAX_CLOUD_RUN_CONCURRENCY,
      `concurrency ${concurrency} is too high`,
    ),
    ...unless(min >= 2 && max > min, `expected at least 2 instances and room for more, got ${min} to ${max}`),
    ...unless(
      drainDelayMs + drainTimeoutMs < KILL_AFTER_MS,
      `expected a drain of less than ${KILL_AFTER_MS} ms, got ${drainDelayMs} + ${drainTimeoutMs}`,
    ),
    ...unless(
      dig(service, 'template.containers.resources.cpu_idle') === false,
      'expected the CPU to be always allocated',
    ),
  ];
}

const PROBES = [
  ['startup_probe', '/readyz'],
  ['liveness_probe', '/livez'],
] as const;

async function judgeProbes(service: Service, { port }: OriginConfig): Promise<string[]> {
  const app = new Hono();
  const manifests = { latest: () => undefined, failure: () => undefined };
  const deps = { manifests, isWarm: () => true, whyCold: () => undefined, isDraining: () => false };
  addHealth(app, deps, { withReason: false });
  const faults: string[] = [];
  for (const [name, path] of PROBES) {
    const probe = dig(service, `template.containers.${name}.http_get`);
    const isThere = (await app.request(path)).status !== 404;
    const found = [dig(probe, 'path'), dig(probe, 'port')];
    faults.push(...unless(isThere && found[0] === path, `${name}: expected the path ${path}, got ${found[0]}`));
    faults.push(...unless(found[1] === port, `${name}: expected port ${port}, got ${found[1]}`));
  }
  return faults;
}

const judgeReach = (service: Service, config: OriginConfig): string[] => [
  ...unless(!isLoopback(config.host), 'HOST is the loopback address'),
  ...unless(config.metricsPort === undefined || isLoopback(config.metricsHost), 'the metrics are reached from outside'),
  ...unless(config.port === Number(readDockerfile().env.PORT), 'the port is not that of the image'),
  ...unless(service.ingress === 'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER', `ingress is ${service.ingress}`),
];

function judgeIdentity(service: Service): string[] {
  const image = String(dig(service, 'template.containers.image'));
  const account = String(dig(service, 'template.service_account'));
  return [
    ...unless(service.deletion_protection === true, 'not protected from deletion'),
    ...unless(service.invoker_iam_disabled === true, 'the worker has no identity of Google'),
    ...unless(account.includes('google_service_account.origin.'), 'not the account of origins'),
    ...unless(/@sha256:[0-9a-f]{64}$/.test(image), 'expected an image with its digest'),
  ];
}

/** The regions of the worker have a service each, at their place. */
function judgeRegions(services: readonly Instance[], regions: readonly Region[]): string[] {
  const planned = services.map(({ key }) => key).sort();
  const named = regions.map(({ name }) => name).sort();
  const faults = unless(planned.join() === named.join(), `expected services in ${named}, got ${planned}`);
  for (const { key, values } of services) {
    const env = digAll(values, 'template.containers.env');
    const region = dig(
      env.find((each) => dig(each, 'name') === 'EARSHOT_REGION'),
      'value',
    );
    faults.push(...unless(region === key, `service ${key}: expected EARSHOT_REGION to be ${key}, got ${region}`));
    const place = regions.find(({ name }) => name === key);
    if (place === undefined) continue;
    const { latitude, longitude } = place;
    const isThere = PLACES[String(values.location)]?.join() === [latitude, longitude].join();
    faults.push(...unless(isThere, `service ${key}: ${values.location} is not at ${latitude}, ${longitude}`));
  }
  return faults;
}

/** Each service has a cluster in its region, which grows and shrinks. */
function judgeClusters(
  plan: readonly Instance[],
  services: readonly Instance[],
  wanted: Surroundings['clusters'],
): string[] {
  const [instance] = ofType(plan, 'google_bigtable_instance');
  const clusters = digAll(instance?.values, 'cluster');
  const faults = unless(
    clusters.length === services.length,
    `expected ${services.length} clusters, got ${clusters.length}`,
  );
  for (const { key = '', values } of services) {
    const cluster = clusters.find((each) => dig(each, 'cluster_id') === wanted[key]);
    const zone = String(dig(cluster, 'zone'));
    const min = Number(dig(cluster, 'autoscaling_config.min_nodes'));
    const max = Number(dig(cluster, 'autoscaling_config.max_nodes'));
    const isBeside = zone.startsWith(`${values.location}-`);
    faults.push(...unless(isBeside, `cluster ${wanted[key]}: expected a zone of ${values.location}, got ${zone}`));
    faults.push(
      ...unless(min >= 1 && max > min, `cluster ${wanted[key]}: expected autoscaling, got ${min} to ${max} nodes`),
    );
  }
  return faults;
}
