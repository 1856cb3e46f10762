// Troubles of the manifest row that a command must not write over: readers keep the last good version, and an operator
// has to choose the next one.
import { highestVersion, type KeptManifest } from '../bigtable/manifest-row.ts';
import type { ServedManifest } from './served-manifests.ts';

const REMEDY =
  'repair it with `npx earshot manifest restore VERSION --why TEXT`; `npx earshot manifest history` lists the versions';

/** The trouble of the row in one sentence; undefined without one. `kept`: newest write first. */
export function findTrouble(kept: readonly KeptManifest[], served: readonly ServedManifest[]): string | undefined {
  // No repair of the row makes a restored instance fit to be served.
  if (kept[0]?.foreign !== undefined) return kept[0].foreign;
  const trouble = findRowTrouble(kept) ?? findServedTrouble(kept, served);
  return trouble === undefined ? undefined : `${trouble}: ${REMEDY}`;
}

function findRowTrouble(kept: readonly KeptManifest[]): string | undefined {
  const [newest] = kept;
  if (newest === undefined) return undefined;
  if (newest.manifest === undefined) {
    return `the stored manifest is broken, and readers keep the version before (${newest.problem})`;
  }
  const { version } = newest.manifest;
  const highest = highestVersion(kept);
  if (version >= highest) return undefined;
  return `the manifest was set back from version ${highest} to version ${version}, and readers keep the higher one`;
}

function findServedTrouble(kept: readonly KeptManifest[], served: readonly ServedManifest[]): string | undefined {
  const version = kept[0]?.manifest?.version ?? 0;
  const later = served.filter(({ manifest }) => (manifest?.version ?? 0) > version);
  const [first] = later;
  if (first === undefined) return undefined;
  const names = later.map(({ name }) => name).join(', ');
  const stored = kept.length === 0 ? 'the manifest row was deleted' : `the manifest was set back to version ${version}`;
  return `${stored}, and the origin in ${names} keeps version ${first.manifest?.version}`;
}
