// The record of a release that can be checked: its load has ended, and its lists are kept.
import { nameRelease, type Release } from '../../../shared/domain/release.ts';
import type { ControlTable } from '../../bigtable/control-table.ts';
import { type ReleaseRecord, readRecord } from '../../bigtable/release-record.ts';

/** Undefined without a record. Throws an EarshotError. */
export async function readLoad(control: ControlTable, release: Release): Promise<ReleaseRecord | undefined> {
  return (await readRecord(control, release))?.record;
}

/** Throws an Error for a release that was not loaded, or whose lists are gone. */
export async function requireLoaded(control: ControlTable, release: Release): Promise<ReleaseRecord> {
  const record = await readLoad(control, release);
  const expected = `expected a loaded release, got ${nameRelease(release)}`;
  if (record === undefined) throw new Error(`${expected}, which was never loaded: load it with \`npx earshot ingest\``);
  if (record.state === 'loading') throw new Error(`${expected}, whose load did not finish: load it again`);
  if (record.state === 'dropped') throw new Error(`${expected}, whose lists were dropped: load another generation`);
  return record;
}
