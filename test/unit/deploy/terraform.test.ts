// The infrastructure in deploy/terraform agrees with the schema of `earshot`, the configuration of origins, the image
// and wrangler.toml. Each comparison is tried on changed text, too: it has to refuse that.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unstable_readConfig as readWranglerConfig } from 'wrangler';
import type { Region } from '../../../shared/domain/regions.ts';
import { type Module, parseModule, parseValues, readTexts, type Texts } from '../../support/terraform/module.ts';
import { evaluateIn, planModule } from '../../support/terraform/plan.ts';
import { judgeBigtable } from './judge-bigtable.ts';
import { type Documented, judgeEdge, judgeRights, type WorkerEnvironment } from './judge-edge.ts';
import { judgeModule } from './judge-module.ts';
import { judgeOrigins } from './judge-origins.ts';

const repository = join(import.meta.dirname, '../../..');
const folder = join(repository, 'deploy/terraform');
const good: Texts = { ...readTexts(folder), ...readTexts(folder, 'tfvars.example') };
const ENVIRONMENTS = ['staging', 'production'] as const;

const isModuleFile = ([name]: [string, string]): boolean => name.endsWith('.tf');

async function planFor(texts: Texts, environment: (typeof ENVIRONMENTS)[number]) {
  const module = await parseModule(Object.fromEntries(Object.entries(texts).filter(isModuleFile)));
  const values = await parseValues(texts[`${environment}.tfvars.example`] ?? '');
  const plan = await planModule(module, values);
  return { module, values, plan, clusters: await readClusters(module, values), worker: readWorker(environment) };
}

/** The faults of all comparisons, for an environment. */
async function judge(texts: Texts, environment: (typeof ENVIRONMENTS)[number]): Promise<string[]> {
  const { module, values, plan, clusters, worker } = await planFor(texts, environment);
  const unset = Object.keys(values).filter((name) => module.variables[name] === undefined);
  const maxAge = Number(await evaluateIn(module, values, expressionOf('var.list_max_age_days')));
  return [
    ...unset.map((name) => `${environment}: no variable ${name}`),
    ...(await judgeModule(module, texts)),
    ...judgeBigtable(plan, clusters, maxAge),
    ...(await judgeOrigins(plan, { regions: worker.regions, clusters })),
    ...judgeEdge(plan, worker, readDocumented()),
    ...judgeRights(plan),
  ];
}

const expressionOf = (text: string): string => ['$', '{', text, '}'].join('');

/** The output that goes into EARSHOT_CLUSTERS. */
async function readClusters(module: Module, values: Parameters<typeof planModule>[1]): Promise<Record<string, string>> {
  const text = String(await evaluateIn(module, values, module.outputs.clusters?.[0]?.value ?? ''));
  return Object.fromEntries(text.split(',').map((pair) => pair.split('=') as [string, string]));
}

interface Queue {
  readonly queue: string;
  readonly dead_letter_queue?: string;
}

function readWorker(env: string): WorkerEnvironment {
  const { vars, queues, r2_buckets: buckets } = readWranglerConfig({ config: join(repository, 'wrangler.toml'), env });
  return {
    regions: JSON.parse(String(vars.REGIONS)) as Region[],
    queues: [
      ...(queues.producers ?? []).map((each: Queue) => each.queue),
      ...(queues.consumers ?? []).flatMap(({ queue, dead_letter_queue: dead = '' }: Queue) => [queue, dead]),
    ],
    buckets: buckets.map(({ bucket_name: name = '' }) => name),
  };
}

function readDocumented(): Documented {
  const text = readFileSync(join(repository, 'docs/configuration.md'), 'utf8');
  const [, deadLetterSeconds] = /--message-retention-period-secs (\d+)/.exec(text) ?? [];
  const [, prefix = '', expireDays] = /lifecycle add \S+ \S+ (\S+) --expire-days (\d+)/.exec(text) ?? [];
  return { deadLetterSeconds: Number(deadLetterSeconds), expireDays: Number(expireDays), prefix };
}

describe.each(ENVIRONMENTS)('%s', (environment) => {
  test('has no difference to the schema, the origins, the image and the worker', async () => {
    expect(await judge(good, environment)).toEqual([]);
  });
});

/** Terraform and OpenTofu format alike. A machine without either cannot check it. */
const formatter = ['tofu', 'terraform'].find((name) => spawnSync(name, ['version']).status === 0);

test.skipIf(formatter === undefined)('the files have the format of the tool', () => {
  const { status, stdout } = spawnSync(formatter ?? '', ['fmt', '-check', '-diff', folder], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
});

test('the module has the resources that it is compared by', async () => {
  const { resources, variables } = await parseModule(readTexts(folder));
  expect(Object.keys(resources).length).toBeGreaterThan(25);
  expect(Object.keys(variables).length).toBeGreaterThan(15);
});

/** The file, its text, another text, and the fault. */
const CHANGES: readonly (readonly [file: string, from: string, to: string, fault: string])[] = [
  // The schema of `earshot`.
  ['bigtable.tf', 'max_versions = 6,', 'max_versions = 5,', 'table recommendations: expected family l, newest 6'],
  [
    'bigtable.tf',
    'max_age_days = 1,',
    'max_age_days = 2,',
    'table heartbeats: expected family h, newest 1 version, none',
  ],
  ['bigtable.tf', 'null : "UNION"', 'null : "INTERSECTION"', 'table recommendations: expected'],
  ['bigtable.tf', 'family = "m"', 'family = "j"', 'table items: expected family m'],
  ['bigtable.tf', '    heartbeats      =', '    beats      =', 'table heartbeats: expected family h'],
  ['bigtable.tf', 'range(1, 16)', 'range(1, 8)', 'table items: expected family m, newest 3 versions, 16 tablets'],
  ['bigtable.tf', '"serve-$', '"read-$', 'app profile serve-asia: expected serves asia: recs-asia'],
  ['bigtable.tf', 'priority      = "PRIORITY_LOW"', 'priority      = "PRIORITY_HIGH"', 'app profile ingest: expected'],
  [
    'bigtable.tf',
    'transactional = true',
    'transactional = false',
    'app profile control-asia: expected compare-and-set',
  ],
  ['bigtable.tf', 'use_any = true', 'use_any = false', 'app profile serve-any: expected the hedge'],
  ['bigtable.tf', '"PROTECTED"', '"UNPROTECTED"', 'google_bigtable_table recommendations: not protected'],
  ['locals.tf', 'write_region = "asia"', 'write_region = "atlantis"', 'expected a member atlantis'],
  // The configuration of origins.
  [
    'cloud-run.tf',
    'EARSHOT_LIST_CACHE_BYTES',
    'EARSHOT_CACHE_BYTES',
    'EARSHOT_CACHE_BYTES is no variable of an origin',
  ],
  [
    'cloud-run.tf',
    'name  = "EARSHOT_PROJECT"',
    'name  = "EARSHOT_BUILD"',
    'EARSHOT_PROJECT: expected text, got nothing',
  ],
  ['cloud-run.tf', 'value = "7000"', 'value = "9000"', 'expected a drain of less than 10000 ms, got 1000 + 9000'],
  ['cloud-run.tf', 'value = "7000"', 'value = "7s"', 'EARSHOT_DRAIN_TIMEOUT_MS: expected a whole number'],
  ['cloud-run.tf', 'local.caches_mib + local.node_memory_mib', 'local.node_memory_mib', 'local.caches_mib: not used'],
  ['cloud-run.tf', 'node_memory_mib = 512', 'node_memory_mib = 64', 'expected memory for 1088 MiB of caches and Node'],
  ['cloud-run.tf', 'port = 8080', 'port = 8081', 'the port is not that of the image'],
  ['cloud-run.tf', 'path = "/readyz"', 'path = "/ready"', 'startup_probe: expected the path /readyz, got /ready'],
  ['cloud-run.tf', 'path = "/livez"', 'path = "/readyz"', 'liveness_probe: expected the path /livez, got /readyz'],
  ['cloud-run.tf', 'cpu_idle          = false', 'cpu_idle          = true', 'expected the CPU to be always allocated'],
  ['cloud-run.tf', '_concurrency = 250', '_concurrency = 8000', 'concurrency 8000 is too high'],
  [
    'cloud-run.tf',
    '"INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"',
    '"INGRESS_TRAFFIC_ALL"',
    'ingress is INGRESS_TRAFFIC_ALL',
  ],
  [
    'cloud-run.tf',
    'google_service_account.origin.email',
    'google_service_account.admin.email',
    'not the account of origins',
  ],
  ['variables.tf', 'default     = 2\n', 'default     = 1\n', 'expected at least 2 instances'],
  // The regions and the worker.
  ['locals.tf', 'location = "europe-west1"', 'location = "europe-west4"', 'europe-west4 is not at 50.45, 3.82'],
  ['locals.tf', 'zone = "us-central1-b"', 'zone = "us-east1-b"', 'cluster recs-us: expected a zone of us-central1'],
  ['locals.tf', '    us     = {', '    africa = {', 'expected services in asia,europe,us, got africa,asia,europe'],
  ['cloudflare.tf', '"earshot-exposures-$', '"exposures-$', 'queues: expected'],
  [
    'cloudflare.tf',
    'exposures_days        = 90',
    'exposures_days        = 30',
    'lifecycle: expected exposures/ after 7776000 s',
  ],
  [
    'cloudflare.tf',
    '_days * local.day_seconds\n  }\n}\n\nresource "cloudflare_r2',
    '_days\n  }\n}\n\nresource "cloudflare_r2',
    'dead letters: expected 1209600 s, got 14 s',
  ],
  ['cloudflare.tf', 'proxied = true', 'proxied = false', 'hosts of origins: expected'],
  [
    'cloudflare.tf',
    'resource "cloudflare_r2_bucket" "exposures"',
    'resource "cloudflare_workers_script" "exposures"',
    'cloudflare_workers_script: wrangler owns it',
  ],
  ['production.tfvars.example', '"origin.example.com"', '"example.com"', 'hosts of origins: expected'],
  ['production.tfvars.example', 'build ', 'release ', 'expected a value of the variable build'],
  ['load-balancer.tf', '"/internal/*"', '"/*"', 'paths: expected /internal/*, got /*'],
  ['load-balancer.tf', 'http_status = 404', 'http_status = 200', 'other paths: expected 404'],
  ['load-balancer.tf', '"REJECT_INVALID"', '"ALLOW_INVALID_OR_MISSING_CLIENT_CERT"', 'clients without a certificate'],
  ['load-balancer.tf', 'server_tls_policy = google', '# google', 'TLS policy: expected'],
  // Rights.
  ['iam.tf', 'roles/bigtable.reader', 'roles/bigtable.user', 'rights: expected admin: roles/bigtable.admin'],
  [
    'iam.tf',
    'google_bigtable_table_iam_member" "origin',
    'google_project_iam_member" "origin',
    'expected no right on a whole project',
  ],
  [
    'secrets.tf',
    'loader = google_service_account.loader.member',
    'loader = google_service_account.admin.member',
    'rights: expected',
  ],
  // The module itself.
  ['versions.tf', '"6.50.0"', '"~> 6.50"', 'provider google: expected an exact version'],
  [
    'versions.tf',
    'provider "cloudflare" {}',
    'provider "cloudflare" {\n  api_token = "x"\n}',
    'provider cloudflare: api_token comes from',
  ],
  ['variables.tf', 'variable "build" {', 'variable "builds" {', 'var.builds: not used'],
  [
    'variables.tf',
    'description = "Largest number of instances of each origin."',
    'description = ""',
    'max_instances: no description',
  ],
  [
    'load-balancer.tf',
    'url_map           = google_compute_url_map.origins.id',
    'url_map           = google_compute_url_map.hosts.id',
    'google_compute_url_map.hosts: not declared',
  ],
  ['outputs.tf', 'local.write_cluster', 'local.cluster', 'expected a local value cluster'],
  [
    'secrets.tf',
    'resource "google_secret_manager_secret" "hash_key"',
    'resource "google_secret_manager_secret_version" "hash_key"',
    'the state would have the secret',
  ],
  [
    'cloud-run.tf',
    'value = "9090"',
    `value = "${Buffer.from('a-secret-of-32-bytes-1234567890Aa').toString('base64')}"`,
    'cloud-run.tf: a literal secret',
  ],
  ['bigtable.tf', 'google_bigtable_table.tables[each.key].name', 'google_bigtable_table.tables.name', 'expected a key'],
  [
    'bigtable.tf',
    'depends_on = [google_project_service.apis]',
    'depends_on = [google_cloud_run_v2_service.origin]',
    'google_cloud_run_v2_service.origin: wait for each other',
  ],
];

describe('a comparison refuses', () => {
  test.each(CHANGES)('%s with %j changed to %j', async (file, from, to, fault) => {
    const text = good[file] ?? '';
    expect(text).toContain(from);
    const changed = { ...good, [file]: text.replace(from, () => to) };
    const faults = await judge(changed, 'production').catch((error: Error) => [error.message]);
    expect(faults.join('\n')).toContain(fault);
  });

  test('a schema, a worker, documents or an origin that changed without the module', async () => {
    const { plan, clusters, worker } = await planFor(good, 'production');
    expect(judgeBigtable(plan, clusters, 31)).toEqual([
      expect.stringContaining('table recommendations: expected family l, newest 6 versions, none older than 31 days'),
    ]);
    expect(judgeBigtable(plan, { ...clusters, africa: 'recs-af' }, 30)).toEqual([
      expect.stringContaining('app profile serve-africa: expected serves africa: recs-af'),
      expect.stringContaining('app profile control-africa: expected'),
    ]);
    const documented = { ...readDocumented(), expireDays: 30 };
    expect(judgeEdge(plan, { ...worker, queues: [...worker.queues, 'clicks'] }, documented)).toEqual([
      expect.stringContaining('queues: expected clicks, earshot-exposures-production'),
      expect.stringContaining('lifecycle: expected exposures/ after 2592000 s'),
    ]);
    expect(await judgeOrigins(plan, { regions: worker.regions.slice(1), clusters })).toEqual([
      'expected services in europe,us, got asia,europe,us',
    ]);
  });

  test('text that is not HCL', async () => {
    await expect(parseModule({ 'a.tf': 'resource "a" {' })).rejects.toThrow();
  });

  test('a folder without files', () => {
    expect(() => readTexts(join(repository, 'deploy/origin'))).toThrow('expected files *.tf');
  });
});
