// The record of a release that can be checked: its load has ended, and its lists are kept.
import { newestControlCell, readRows, rowsOf } from '../../../origin/bigtable/read-rows.ts';
import { makeLoadRowKey, TABLES } from '../../../shared/domain/keys.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { withRetries } from '../../bigtable/retry.ts';
import { nameRelease, type Release, type ReleaseRecord, recordSchema } from '../release.ts';

/** Undefined without a record that this build understands. Throws an EarshotError. */
export async function readLoad(control: ControlTable, release: Release): Promise<ReleaseRecord | undefined> {
  const { bigtable, appProfile, retries } = control;
  const rows = rowsOf([makeLoadRowKey(release.surface, release.variant, release.generation)]);
  const [row] = await withRetries(retries, (timeoutMs) =>
    readRows(bigtable, { table: TABLES.control, appProfile, rows, filter: newestControlCell, timeoutMs }),
  );
  const value = row?.cells[0]?.value;
  return value === undefined ? undefined : recordSchema.safeParse(parseJson(value)).data;
}

/** Throws an Error for a release that was not loaded, or whose lists are gone. */
export async function requireLoaded(control: ControlTable, release: Release): Promise<ReleaseRecord> {
  const record = await readLoad(control, release);
  const expected = `expected a loaded release, got ${nameRelease(release)}`;
  if (record === undefined) throw new Error(`${expected}, which was never loaded: load it with \`npx earshot ingest\``);
  if (record.state === 'loading') throw new Error(`${expected}, whose load did not finish: load it again`);
  if (record.state === 'retired' || record.state === 'dropped')
    throw new Error(`${expected}, whose lists are gone (${record.state}): load another generation`);
  return record;
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'));
  } catch {
    return undefined;
  }
}
