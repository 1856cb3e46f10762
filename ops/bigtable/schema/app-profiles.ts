// Creates the app profiles: the cluster of a call, its priority, and whether it may compare and set.
import type { protos } from '@google-cloud/bigtable';
import { APP_PROFILES, makeControlProfile, makeServeProfile } from '../../../origin/bigtable/app-profiles.ts';
import { findOrUndefined, grpcCodeOf, toTableError, UNIMPLEMENTED } from '../../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { type ApplyMode, foreignChange, type SchemaChange } from './schema-change.ts';

type AppProfile = protos.google.bigtable.admin.v2.IAppProfile;

const ADMIN_TIMEOUT_MS = 60_000;

export function wantedProfiles(clusters: Readonly<Record<string, string>>): Record<string, AppProfile> {
  const entries = Object.entries(clusters);
  const writeCluster = entries[0]?.[1] ?? '';
  const serving = entries.map(([region, cluster]): [string, AppProfile] => [
    makeServeProfile(region),
    {
      description: `serves ${region}`,
      singleClusterRouting: { clusterId: cluster },
      standardIsolation: { priority: 'PRIORITY_HIGH' },
    },
  ]);
  const controlling = entries.map(([region, cluster]): [string, AppProfile] => [
    makeControlProfile(region),
    {
      description: `compare-and-set in ${region}, while the write cluster is gone`,
      singleClusterRouting: { clusterId: cluster, allowTransactionalWrites: true },
      standardIsolation: { priority: 'PRIORITY_HIGH' },
    },
  ]);
  return {
    ...Object.fromEntries([...serving, ...controlling]),
    [APP_PROFILES.any]: {
      description: 'the hedge and the last resort',
      multiClusterRoutingUseAny: {},
      standardIsolation: { priority: 'PRIORITY_HIGH' },
    },
    [APP_PROFILES.ingest]: {
      description: 'bulk loads',
      singleClusterRouting: { clusterId: writeCluster },
      standardIsolation: { priority: 'PRIORITY_LOW' },
    },
    [APP_PROFILES.control]: {
      description: 'compare-and-set of the manifest',
      singleClusterRouting: { clusterId: writeCluster, allowTransactionalWrites: true },
      standardIsolation: { priority: 'PRIORITY_HIGH' },
    },
    // Google's Dataflow templates cannot name a profile, so they write through this one.
    default: {
      description: 'LOW, because loads that cannot name a profile use it',
      singleClusterRouting: { clusterId: writeCluster, allowTransactionalWrites: true },
      standardIsolation: { priority: 'PRIORITY_LOW' },
    },
  };
}

/** Throws an EarshotError. */
export async function applyProfile(
  bigtable: BigtableConnection,
  id: string,
  wanted: AppProfile,
  { dryRun }: ApplyMode,
): Promise<SchemaChange> {
  const what = `app profile ${id}, ${describeProfile(wanted)}`;
  const name = `${bigtable.instanceName}/appProfiles/${id}`;
  try {
    const instanceAdmin = await bigtable.instanceAdmin();
    const existing = await findOrUndefined(instanceAdmin.getAppProfile({ name }, options));
    if (existing === undefined) {
      if (!dryRun) {
        await instanceAdmin.createAppProfile(
          { parent: bigtable.instanceName, appProfileId: id, appProfile: wanted, ignoreWarnings: true },
          options,
        );
      }
      return { what, done: 'created' };
    }
    const was = describeProfile(existing[0]);
    if (was === describeProfile(wanted)) return { what, done: 'unchanged' };
    if (!dryRun) await updateProfile(bigtable, { ...wanted, name });
    return { what, done: 'updated', was, ...(id === 'default' ? { why: WHY_DEFAULT } : {}) };
  } catch (error) {
    if (grpcCodeOf(error) === UNIMPLEMENTED)
      return { what: `app profile ${id}`, done: 'skipped', why: 'this Bigtable has no app profiles (an emulator)' };
    throw toTableError(error, `setting up app profile ${id}`);
  }
}

const WHY_DEFAULT =
  "Google's templates cannot name a profile: they write through this one, and would compete with reads or other clusters";

const options = { timeout: ADMIN_TIMEOUT_MS, retry: null };

/** The profiles that are not ours. Throws an EarshotError. */
export async function applyForeignProfiles(
  bigtable: BigtableConnection,
  wanted: Readonly<Record<string, AppProfile>>,
  mode: ApplyMode,
): Promise<SchemaChange[]> {
  try {
    const instanceAdmin = await bigtable.instanceAdmin();
    const [profiles] = await instanceAdmin.listAppProfiles({ parent: bigtable.instanceName }, options);
    const changes: SchemaChange[] = [];
    for (const profile of profiles) {
      const id = profile.name?.split('/').at(-1) ?? '';
      if (Object.hasOwn(wanted, id)) continue;
      const change = foreignChange(`app profile ${id}, ${describeProfile(profile)}`, mode);
      const request = { name: profile.name ?? '', ignoreWarnings: true };
      if (change.done === 'dropped' && !mode.dryRun) await instanceAdmin.deleteAppProfile(request, options);
      changes.push(change);
    }
    return changes;
  } catch (error) {
    if (grpcCodeOf(error) === UNIMPLEMENTED) return [];
    throw toTableError(error, 'looking for other app profiles');
  }
}

async function updateProfile(bigtable: BigtableConnection, appProfile: AppProfile): Promise<void> {
  const routing = appProfile.multiClusterRoutingUseAny ? 'multi_cluster_routing_use_any' : 'single_cluster_routing';
  const instanceAdmin = await bigtable.instanceAdmin();
  const [operation] = await instanceAdmin.updateAppProfile(
    { appProfile, updateMask: { paths: ['description', routing, 'standard_isolation'] }, ignoreWarnings: true },
    { timeout: ADMIN_TIMEOUT_MS },
  );
  await operation.promise();
}

/** `cluster asia, LOW`. Equal profiles have equal words; a group of clusters and the description do not count. */
function describeProfile(profile: AppProfile): string {
  const { singleClusterRouting: single, standardIsolation } = profile;
  const routing = single == null ? 'any cluster' : `cluster ${single.clusterId}`;
  const transactions = single?.allowTransactionalWrites ? ' with transactions' : '';
  const priority = String(standardIsolation?.priority ?? 'no priority').replace('PRIORITY_', '');
  return `${routing}${transactions}, ${priority}`;
}
