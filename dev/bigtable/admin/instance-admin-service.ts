// google.bigtable.admin.v2.BigtableInstanceAdmin: its calls for app profiles.
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { compareText } from '../rows/row.ts';
import { unary } from '../wire/calls.ts';
import type { AppProfileMessage, Operation } from '../wire/messages.ts';
import { checkInstanceName, splitName } from '../wire/names.ts';
import { alreadyExists, failedPrecondition, invalidArgument } from '../wire/status.ts';
import { parseProfile, toMessage, updateProfile } from './app-profiles.ts';
import type { Instances } from './instance.ts';

export function createInstanceAdminService(
  instances: Instances,
  serializeProfile: (profile: AppProfileMessage) => Buffer,
): UntypedServiceImplementation {
  const findProfile = (name: string) => {
    const { instance: instanceName, id } = splitName(name, 'appProfiles');
    const instance = instances(instanceName);
    return { instance, profile: instance.profile(id) };
  };

  return {
    createAppProfile: unary<
      { parent: string; appProfileId: string; appProfile: AppProfileMessage | null },
      AppProfileMessage
    >(({ parent, appProfileId, appProfile }) => {
      const instance = instances(checkInstanceName(parent));
      if (appProfile === null) throw invalidArgument('app_profile must be set');
      if (instance.profiles.has(appProfileId))
        throw alreadyExists(`App profile already exists: ${parent}/appProfiles/${appProfileId}`);
      const profile = parseProfile(appProfileId, appProfile, instance.clusters);
      instance.setProfile(profile);
      return toMessage(instance.name, profile);
    }),

    getAppProfile: unary<{ name: string }, AppProfileMessage>(({ name }) => {
      const { instance, profile } = findProfile(name);
      return toMessage(instance.name, profile);
    }),

    listAppProfiles: unary<{ parent: string }, { appProfiles: AppProfileMessage[] }>(({ parent }) => {
      const instance = instances(checkInstanceName(parent));
      const profiles = [...instance.profiles.values()].sort((a, b) => compareText(a.id, b.id));
      return { appProfiles: profiles.map((profile) => toMessage(instance.name, profile)) };
    }),

    updateAppProfile: unary<
      { appProfile: AppProfileMessage | null; updateMask: { paths: string[] } | null },
      Operation
    >(({ appProfile, updateMask }) => {
      if (appProfile === null) throw invalidArgument('app_profile must be set');
      const { instance, profile } = findProfile(appProfile.name);
      const paths = updateMask?.paths ?? [];
      if (paths.length === 0) throw invalidArgument('update_mask must name at least one field');
      if (appProfile.etag !== '' && appProfile.etag !== profile.etag)
        throw failedPrecondition('App profile etag mismatch');
      const updated = updateProfile(profile, appProfile, paths, instance.clusters);
      instance.setProfile(updated);
      return finishedUpdate(toMessage(instance.name, updated), serializeProfile);
    }),

    deleteAppProfile: unary<{ name: string }, object>(({ name }) => {
      const { instance, profile } = findProfile(name);
      instance.removeProfile(profile.id);
      return {};
    }),
  };
}

/** The response marks the operation as done, so no client polls it. */
function finishedUpdate(profile: AppProfileMessage, serialize: (profile: AppProfileMessage) => Buffer): Operation {
  const types = 'type.googleapis.com/google.bigtable.admin.v2';
  return {
    name: `operations/${profile.name}/locations/local/operations/1`,
    done: true,
    metadata: { typeUrl: `${types}.UpdateAppProfileMetadata`, value: Buffer.alloc(0) },
    response: { typeUrl: `${types}.AppProfile`, value: serialize(profile) },
  };
}
