// The regions of an instance, by its app profiles: `serve-europe` leads to one cluster.
import { makeServeProfile } from '../../../origin/bigtable/app-profiles.ts';
import { toTableError } from '../../../origin/bigtable/bigtable-error.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { withRetries } from '../../bigtable/retry.ts';

const PREFIX = makeServeProfile('');

/** Sorted by name. Throws an EarshotError, or an Error for an instance without such profiles. */
export async function readRegions({ bigtable, retries }: ControlTable): Promise<string[]> {
  const regions = await withRetries(retries, async (timeout) => {
    try {
      const instanceAdmin = await bigtable.instanceAdmin();
      const [profiles] = await instanceAdmin.listAppProfiles(
        { parent: bigtable.instanceName },
        { timeout, retry: null },
      );
      return profiles.flatMap(({ name, singleClusterRouting }) => {
        const id = name?.split('/').at(-1) ?? '';
        return id.startsWith(PREFIX) && singleClusterRouting ? [id.slice(PREFIX.length)] : [];
      });
    } catch (error) {
      throw toTableError(error, 'listing the app profiles');
    }
  });
  if (regions.length === 0)
    throw new Error(`no app profile ${PREFIX}REGION in the instance: make them with \`npx earshot schema apply\``);
  return regions.sort();
}

/** Whether operators have marked the region as degraded. */
export const isDegraded = ({ regions = {} }: Manifest, region: string, nowMs: number): boolean =>
  Object.hasOwn(regions, region) && (regions[region]?.degradedUntilMs ?? 0) > nowMs;
