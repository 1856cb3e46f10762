// Differences between the planned instance and the one that `earshot schema apply` makes.

import { wantedProfiles } from '../../../ops/bigtable/schema/app-profiles.ts';
import { describeGcRule } from '../../../ops/bigtable/schema/gc-rule.ts';
import { INITIAL_TABLETS, wantedTables } from '../../../ops/bigtable/schema/tables.ts';
import { makeInitialSplits } from '../../../shared/domain/keys.ts';
import { dig, digAll, type Instance } from '../../support/terraform/plan.ts';

/** Bigtable creates it with the instance, so only `earshot schema apply` can set it. */
const LEFT_TO_THE_COMMAND = ['default'];

/** One line for each difference. `clusters`: cluster by region, the first one takes the writes. */
export const judgeBigtable = (
  plan: readonly Instance[],
  clusters: Readonly<Record<string, string>>,
  listMaxAgeDays: number,
): string[] => [
  ...differences('table', plannedTables(plan), schemaTables(listMaxAgeDays)),
  ...differences('app profile', plannedProfiles(plan), schemaProfiles(clusters)),
  ...judgeProtection(plan),
];

/** Each thing in words, by name. */
type Words = Readonly<Record<string, string>>;

const ofType = (plan: readonly Instance[], type: string): Instance[] => plan.filter((each) => each.type === type);

function differences(what: string, planned: Words, wanted: Words): string[] {
  const names = new Set([...Object.keys(planned), ...Object.keys(wanted)]);
  return [...names]
    .filter((name) => planned[name] !== wanted[name])
    .map((name) => `${what} ${name}: expected ${wanted[name] ?? 'none'}, got ${planned[name] ?? 'none'}`);
}

function schemaTables(listMaxAgeDays: number): Words {
  const splits = makeInitialSplits(INITIAL_TABLETS);
  const words = wantedTables(listMaxAgeDays).map(({ table, family, gcRule, hashed }) => [
    table,
    describeTable([family], describeGcRule(gcRule), hashed ? splits : []),
  ]);
  return Object.fromEntries(words);
}

function plannedTables(plan: readonly Instance[]): Words {
  const rules = new Map(
    ofType(plan, 'google_bigtable_gc_policy').map(({ key, values }) => [`${key} ${values.column_family}`, values]),
  );
  const words = ofType(plan, 'google_bigtable_table').map(({ key, values }) => {
    const families = digAll(values, 'column_family').map((each) => String(dig(each, 'family')));
    const rule = rules.get(`${key} ${families[0]}`);
    return [values.name, describeTable(families, describePolicy(rule), digAll(values, 'split_keys') as string[])];
  });
  return Object.fromEntries(words);
}

const describeTable = (families: readonly string[], rule: string, splits: readonly string[]): string =>
  `${families.length === 1 ? 'family' : 'families'} ${families.join(', ')}, ${rule}, ${splits.length + 1} tablets from ${splits.join(' ')}`;

/** A policy of Terraform in the words of `earshot schema check`. */
function describePolicy(policy: Instance['values'] | undefined): string {
  if (policy === undefined) return 'no rule';
  const maxNumVersions = Number(dig(policy, 'max_version.number'));
  const duration = dig(policy, 'max_age.duration');
  if (duration === undefined) return policy.mode == null ? describeGcRule({ maxNumVersions }) : 'a mode';
  const seconds = Number.parseInt(String(duration), 10) * 3600;
  const rules = [{ maxNumVersions }, { maxAge: { seconds } }];
  return describeGcRule(policy.mode === 'UNION' ? { union: { rules } } : { intersection: { rules } });
}

function schemaProfiles(clusters: Readonly<Record<string, string>>): Words {
  const words = Object.entries(wantedProfiles(clusters)).map(([id, profile]) => {
    const { description, singleClusterRouting: single, standardIsolation } = profile;
    const transactional = single?.allowTransactionalWrites ?? false;
    return [id, describeProfile(description, single?.clusterId, transactional, standardIsolation?.priority)];
  });
  return Object.fromEntries(words.filter(([id]) => !LEFT_TO_THE_COMMAND.includes(String(id))));
}

function plannedProfiles(plan: readonly Instance[]): Words {
  const words = ofType(plan, 'google_bigtable_app_profile').map(({ values }) => {
    const cluster = dig(values, 'single_cluster_routing.cluster_id');
    const transactional = dig(values, 'single_cluster_routing.allow_transactional_writes');
    const profile = describeProfile(
      values.description,
      cluster,
      transactional,
      dig(values, 'standard_isolation.priority'),
    );
    const isOneRouting = (cluster === undefined) === (values.multi_cluster_routing_use_any === true);
    const routing = isOneRouting ? '' : ', no routing or two';
    return [values.app_profile_id, `${profile}${routing}${values.row_affinity ? ', row affinity' : ''}`];
  });
  return Object.fromEntries(words);
}

const describeProfile = (description: unknown, cluster: unknown, transactional: unknown, priority: unknown): string =>
  `${description}: ${cluster ?? 'any cluster'}${transactional ? ' with transactions' : ''}, ${priority}`;

function judgeProtection(plan: readonly Instance[]): string[] {
  const isProtected = ({ values }: Instance): boolean =>
    [true, 'PROTECTED'].includes(values.deletion_protection as string) &&
    dig(values, 'lifecycle.prevent_destroy') === true;
  return ['google_bigtable_instance', 'google_bigtable_table']
    .flatMap((type) => ofType(plan, type))
    .filter((each) => !isProtected(each))
    .map(({ type, key }) => `${type} ${key ?? ''}: not protected`);
}
