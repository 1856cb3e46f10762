// The steps that change the live releases. Each writes its intent into the record of the release, then the manifest,
// then the result into the record: two rows cannot change at once, and the manifest is the truth.
import { formatGeneration } from '../../shared/domain/generation.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { type Line, nameRelease, type Release } from '../../shared/domain/release.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import {
  listReleases,
  RECORD_FORMAT,
  type ReleaseRecord,
  readRecord,
  recordSchema,
  type Transition,
  updateRecord,
  withTransition,
} from '../bigtable/release-record.ts';
import { type ChangeOutcome, changeManifest } from '../manifest/change-manifest.ts';
import type { Origins } from '../manifest/served-manifests.ts';
import { stateOfRelease, whyStateChanged } from './state.ts';

export interface Change {
  readonly release: Release;
  /** The state of the release after the change. */
  readonly to: string;
  readonly by: string;
  readonly why?: string | undefined;
  /** For the history of the manifest. */
  readonly what: string;
  readonly origins: Origins | undefined;
  readonly change: (live: Manifest, nowMs: number) => Manifest;
}

/** Throws an Error with the reason if nothing was changed. The record may have the intent then. */
export async function changeRelease(control: ControlTable, change: Change): Promise<ChangeOutcome> {
  const { release, to, by, why, what, origins } = change;
  const { clock } = control.retries;
  const transition: Transition = { to, by, atMs: clock.now(), ...(why === undefined ? {} : { why }) };
  await updateRecord(control, release, (record) => ({ ...known(record), intent: transition }));
  const outcome = await changeManifest(control, { what, why, by, dryRun: false, origins, change: change.change });
  await updateRecord(control, release, (record) => withTransition(known(record), transition));
  return outcome;
}

/** Records a state that the manifest does not show. */
export const recordState = (
  control: ControlTable,
  release: Release,
  transition: Omit<Transition, 'atMs'>,
): Promise<ReleaseRecord> =>
  updateRecord(control, release, (record) =>
    withTransition(known(record), { ...transition, atMs: control.retries.clock.now() } as Transition),
  );

/**
 * Brings the records of a variant in line with the manifest: of commands that ended between the two, and of releases
 * that a later one has moved. Returns what it has changed.
 */
export async function repairRecords(
  control: ControlTable,
  line: Line,
  manifest: Manifest,
  by: string,
): Promise<readonly string[]> {
  const nowMs = control.retries.clock.now();
  const repaired: string[] = [];
  for (const { generation, ...record } of await listReleases(control, line)) {
    const release = { ...line, generation };
    const state = stateOfRelease(manifest, release, record, nowMs);
    if (state === record.state && record.intent === undefined) continue;
    const why = whyStateChanged(record.state, state);
    await updateRecord(control, release, (newest) => {
      const current = known(newest);
      if (current.state !== state) return withTransition(current, { to: state, by, why, atMs: nowMs });
      const { intent: _, ...rest } = current;
      return rest;
    });
    if (state !== record.state) repaired.push(`${nameRelease(release)}: ${record.state} -> ${state}`);
  }
  return repaired;
}

/** The record of a release that must be loaded whole. Throws an Error that names those that are. */
export async function requireLoaded(control: ControlTable, release: Release): Promise<ReleaseRecord> {
  const stored = await readRecord(control, release);
  if (stored !== undefined && stored.record.state !== 'loading' && stored.record.state !== 'dropped')
    return stored.record;
  const all = await listReleases(control, release);
  const whole = all.filter(({ state }) => state !== 'loading' && state !== 'dropped');
  const names = whole.slice(-5).map(({ generation }) => formatGeneration(generation));
  const knownNames = names.length === 0 ? 'none was' : `known are ${names.join(', ')}`;
  const name = nameRelease(release);
  if (stored === undefined)
    throw new Error(`expected a release that was loaded, got ${name}, which was never loaded (${knownNames})`);
  const reason = stored.record.state === 'dropped' ? 'which was dropped' : 'whose load did not finish; load it again';
  throw new Error(`expected a release that was loaded, got ${name}, ${reason}`);
}

const known = (record: ReleaseRecord | undefined): ReleaseRecord =>
  record ?? recordSchema.parse({ format: RECORD_FORMAT, state: 'loaded' });
