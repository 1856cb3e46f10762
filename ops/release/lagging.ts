// The live releases whose lists a region's cluster lacks, by a sample of rows.
import { APP_PROFILES, makeServeProfile } from '../../origin/bigtable/app-profiles.ts';
import { readRows } from '../../origin/bigtable/read-rows.ts';
import { toName } from '../../shared/domain/ids.ts';
import { FAMILIES, makeListQualifier, TABLES } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { nameRelease } from '../../shared/domain/release.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { withRetries } from '../bigtable/retry.ts';

/** About a 256th of all rows, spread over nothing: rows are hashed. */
const SAMPLED = { rowRanges: [{ startKeyClosed: Buffer.from('00'), endKeyOpen: Buffer.from('01') }] };

/** One sentence for each release that is not whole there. Throws an EarshotError. */
export async function findLaggingReleases(
  control: ControlTable,
  manifest: Manifest,
  region: string,
): Promise<string[]> {
  const lagging: string[] = [];
  for (const [surface, { variants }] of Object.entries(manifest.surfaces)) {
    for (const { name: variant, current } of variants) {
      const release = { surface: toName(surface), variant, generation: current };
      const [there, written] = await Promise.all(
        [makeServeProfile(region), APP_PROFILES.ingest].map((profile) => readSample(control, profile, release)),
      );
      const missing = [...(written ?? [])].filter((cell) => !there?.has(cell)).length;
      if (missing > 0)
        lagging.push(`${nameRelease(release)}: ${missing} of ${written?.size} sampled lists are missing`);
    }
  }
  return lagging;
}

/** Row key and length of each sampled list of the release. */
async function readSample(
  { bigtable, retries }: ControlTable,
  appProfile: string,
  { surface, variant, generation }: Parameters<typeof nameRelease>[0],
): Promise<ReadonlySet<string>> {
  const column = Buffer.from(makeListQualifier(surface, variant));
  const startTimestampMicros = generation * 1000;
  const filter = {
    chain: {
      filters: [
        { columnRangeFilter: { familyName: FAMILIES.lists, startQualifierClosed: column, endQualifierClosed: column } },
        { timestampRangeFilter: { startTimestampMicros, endTimestampMicros: startTimestampMicros + 1000 } },
      ],
    },
  };
  const rows = await withRetries(retries, (timeoutMs) =>
    readRows(bigtable, { table: TABLES.recommendations, appProfile, rows: SAMPLED, filter, timeoutMs }),
  );
  return new Set(rows.map(({ key, cells }) => `${key.toString('latin1')} ${cells[0]?.value.length}`));
}
