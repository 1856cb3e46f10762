// The regions of an instance, by their app profiles: each has a profile that reads its own cluster.
import { APP_PROFILES, makeServeProfile } from '../../origin/bigtable/app-profiles.ts';
import { toTableError } from '../../origin/bigtable/bigtable-error.ts';
import { isName, type Name } from '../../shared/domain/ids.ts';
import type { ControlTable } from './control-table.ts';
import { withRetries } from './retry.ts';

/** In alphabetical order. Throws an EarshotError. */
export async function listRegions({ bigtable, retries }: ControlTable): Promise<Name[]> {
  const prefix = makeServeProfile('');
  try {
    const profiles = await withRetries(retries, async (timeout) => {
      const [all] = await (await bigtable.instanceAdmin()).listAppProfiles(
        { parent: bigtable.instanceName },
        { timeout },
      );
      return all;
    });
    const ids = profiles.map(({ name }) => name?.split('/').at(-1) ?? '').filter((id) => id !== APP_PROFILES.any);
    return ids
      .filter((id) => id.startsWith(prefix))
      .map((id) => id.slice(prefix.length))
      .filter(isName)
      .sort();
  } catch (error) {
    throw toTableError(error, 'listing the app profiles');
  }
}
