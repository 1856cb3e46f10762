// Differences between the plan and the worker's environment in wrangler.toml, and identities with more rights than they
// need.
import type { Region } from '../../../shared/domain/regions.ts';
import type { Instance } from '../../support/terraform/plan.ts';

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
];

function deadLetters(plan: readonly Instance[]): string[] {
  const dead = plan.filter(
    ({ type, values }) => type === 'cloudflare_queue' && /-dead$/.test(String(values.queue_name)),
  );
  return dead.map(({ values }) => {
    const settings = values.settings as { message_retention_period?: number } | undefined;
    return `${settings?.message_retention_period ?? 'default'} s`;
  });
}

interface Rule {
  readonly enabled: boolean;
  readonly conditions: { readonly prefix: string };
  readonly delete_objects_transition: { readonly condition: { readonly max_age: number } };
}

const lifecycle = (plan: readonly Instance[]): string[] =>
  plan
    .filter(({ type }) => type === 'cloudflare_r2_bucket_lifecycle')
    .flatMap(({ values }) => (values.rules ?? []) as unknown as Rule[])
    .filter(({ enabled }) => enabled)
    .map((rule) => `${rule.conditions.prefix} after ${rule.delete_objects_transition.condition.max_age} s`);

/** Wrangler owns these. Two owners undo each other's changes. */
const OF_WRANGLER = /^cloudflare_(workers?_|queue_consumer|workers_script|workers_route|workers_custom_domain)/;

const judgeOwners = (plan: readonly Instance[]): string[] =>
  plan.filter(({ type }) => OF_WRANGLER.test(type)).map(({ type }) => `${type}: wrangler owns it`);

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
