// Differences between the plan and the worker's environment in wrangler.toml, and identities with more rights than they
// need.
import type { Region } from '../../../shared/domain/regions.ts';
import { LISTS_READ_PATH } from '../../../shared/wire/read-request.ts';
import { dig, digAll, type Instance } from '../../support/terraform/plan.ts';

export interface WorkerEnvironment {
  readonly regions: readonly Region[];
  /** Names of all queues, of producers, consumers and dead letters. */
  readonly queues: readonly string[];
  readonly buckets: readonly string[];
}

/** The commands of docs/configuration.md that create the same things by hand. */
export interface Documented {
  readonly deadLetterSeconds: number;
  readonly expireDays: number;
  readonly prefix: string;
}

const namesOf = (plan: readonly Instance[], type: string, attribute: string): string[] =>
  plan.filter((each) => each.type === type).map(({ values }) => String(values[attribute]));

const compare = (what: string, planned: readonly string[], wanted: readonly string[]): string[] => {
  const [got, expected] = [[...planned].sort().join(', '), [...new Set(wanted)].sort().join(', ')];
  return got === expected ? [] : [`${what}: expected ${expected}, got ${got}`];
};

/** One line for each difference. */
export const judgeEdge = (plan: readonly Instance[], worker: WorkerEnvironment, documented: Documented): string[] => [
  ...compare('queues', namesOf(plan, 'cloudflare_queue', 'queue_name'), worker.queues),
  ...compare('buckets', namesOf(plan, 'cloudflare_r2_bucket', 'name'), worker.buckets),
  ...compare(
    'hosts of origins',
    plan
      .filter(({ type, values }) => type === 'cloudflare_dns_record' && values.proxied === true)
      .map(({ key, values }) => `${key} https://${values.name}`),
    worker.regions.map(({ name, origin }) => `${name} ${origin}`),
  ),
  ...compare('dead letters', deadLetters(plan), [`${documented.deadLetterSeconds} s`]),
  ...compare('lifecycle', lifecycle(plan), [`${documented.prefix} after ${documented.expireDays * 86_400} s`]),
  ...judgeOwners(plan),
  ...judgeLoadBalancer(plan),
];

function deadLetters(plan: readonly Instance[]): string[] {
  const isDead = ({ type, values }: Instance): boolean =>
    type === 'cloudflare_queue' && String(values.queue_name).endsWith('-dead');
  return plan
    .filter(isDead)
    .map(({ values }) => `${dig(values, 'settings.message_retention_period') ?? 'the default of'} s`);
}

const lifecycle = (plan: readonly Instance[]): string[] =>
  plan
    .filter(({ type }) => type === 'cloudflare_r2_bucket_lifecycle')
    .flatMap(({ values }) => digAll(values, 'rules'))
    .filter((rule) => dig(rule, 'enabled') === true)
    .map((rule) => {
      const seconds = dig(rule, 'delete_objects_transition.condition.max_age');
      return `${dig(rule, 'conditions.prefix')} after ${seconds} s`;
    });

/** Wrangler owns these. Two owners undo each other's changes. */
const OF_WRANGLER = /^cloudflare_(workers?_|queue_consumer|workers_script|workers_route|workers_custom_domain)/;

const judgeOwners = (plan: readonly Instance[]): string[] =>
  plan.filter(({ type }) => OF_WRANGLER.test(type)).map(({ type }) => `${type}: wrangler owns it`);

/** Only a client with the zone's certificate gets in, and only to the paths of the worker. */
function judgeLoadBalancer(plan: readonly Instance[]): string[] {
  const find = (type: string): Instance['values'] | undefined => plan.find((each) => each.type === type)?.values;
  const map = find('google_compute_url_map');
  const passed = digAll(map, 'path_matcher').flatMap((each) => digAll(each, 'path_rule'));
  const others = [map, ...digAll(map, 'path_matcher')].map((each) =>
    String(dig(each, 'default_route_action.fault_injection_policy.abort.http_status')),
  );
  const policy = find('google_network_security_server_tls_policy');
  return [
    ...compare('paths', [...new Set(passed.flatMap((each) => digAll(each, 'paths') as string[]))], [`${INTERNAL}*`]),
    ...compare('other paths', [...new Set(others)], ['404']),
    ...compare(
      'clients without a certificate',
      [String(dig(policy, 'mtls_policy.client_validation_mode'))],
      ['REJECT_INVALID'],
    ),
    ...compare('TLS policy', [String(find('google_compute_target_https_proxy')?.server_tls_policy)], [TLS_POLICY]),
  ];
}

/** Every path that the worker asks begins with it. */
const [INTERNAL = ''] = /^\/\w+\//.exec(LISTS_READ_PATH) ?? [];
const TLS_POLICY = ['$', '{google_network_security_server_tls_policy.origin_pulls.id}'].join('');

/** Role by identity and place. Each has a use in docs/deploying.md. */
const ALLOWED = [
  'origin: roles/bigtable.reader',
  'origin: roles/bigtable.user on heartbeats',
  'loader: roles/bigtable.user',
  'admin: roles/bigtable.admin',
  'origin: roles/secretmanager.secretAccessor on origin_secret',
  'loader: roles/secretmanager.secretAccessor on origin_secret',
  'loader: roles/secretmanager.secretAccessor on hash_key',
];

/** One line for each right that an identity has or lacks. */
export function judgeRights(plan: readonly Instance[]): string[] {
  const granted = plan
    .filter(
      ({ type, values }) =>
        /_iam_(member|binding|policy)$/.test(type) && /google_service_account\./.test(String(values.member)),
    )
    .map(({ values }) => {
      const [, who] = /google_service_account\.(\w+)/.exec(String(values.member)) ?? [];
      const [, table] = /tables\["(\w+)"\]/.exec(String(values.table)) ?? [];
      const [, secret] = /google_secret_manager_secret\.(\w+)/.exec(String(values.secret_id)) ?? [];
      const place = table ?? secret;
      return `${who}: ${values.role}${place === undefined ? '' : ` on ${place}`}`;
    });
  const wide = plan
    .filter(({ type }) => /^google_(project|folder|organization)_iam_/.test(type))
    .map(({ type, name }) => `${type}.${name}: expected no right on a whole project`);
  return [...compare('rights', granted, ALLOWED), ...wide];
}
