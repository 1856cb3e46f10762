// Adopts a restored instance. Rows of users that were erased after the backup are deleted in every cluster, the records
// of before are written, and the manifest comes last: without it origins refuse the instance. Each step may run twice,
// so a call that was killed is made again.
import { documentsOf } from '../../shared/domain/effects/documents.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { makeUserHash, TABLES, userHashOf } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { readControlCell, replaceControlCell } from '../bigtable/control-row.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { replaceManifest } from '../bigtable/manifest-row.ts';
import { waitForReplication } from '../bigtable/replication.ts';
import { type Backup, findBackup } from '../bigtable/restored-from.ts';
import { formatCount, formatPlural } from '../cli/format.ts';
import type { UserRef } from '../cli/user-ref.ts';
import { putDocument, writeDocument } from '../effects/documents.ts';
import { CLOCK_MARGIN_MS, deleteEverywhere } from '../effects/erase.ts';
import { forgetUsers, listErasures, putErasure, type StoredErasure } from '../effects/erasure-record.ts';
import { changeSegments, toErasureJson } from '../effects/erasure-segments.ts';
import { addToKeepOut } from '../effects/keep-out.ts';
import { requireWritable } from '../manifest/change-manifest.ts';
import { newestErasures } from '../manifest/known-erasures.ts';
import { findMissingArm, newestOf, withNewestEffects } from '../manifest/newest-effects.ts';
import type { Origins } from '../manifest/served-manifests.ts';
import { endedAfter, findErasedUsers, joinRecords, makeIsErased } from './erased-since.ts';
import { joinMoments, type KnownState, readKnownState } from './known-state.ts';
import { keyCheckOf, type RecoveryFile } from './recovery-file.ts';

export interface ApplyOptions {
  readonly file: RecoveryFile;
  readonly userRef: UserRef;
  readonly origins: Origins | undefined;
  readonly withoutOrigins: boolean;
  readonly takenAtMs: number | undefined;
  readonly regions: readonly string[];
  readonly waitMs: number;
  readonly by: string;
  readonly why: string;
  readonly dryRun: boolean;
  readonly say: (line: string) => void;
}

/** Readers that no command can ask may hold a later version than the known ones, by fewer changes than this. */
const VERSION_MARGIN = 100_000;
const RECOVERY_ROW = 'recovery';

/** Throws an Error with the reason if the instance is not adopted. */
export async function applyRecovery(control: ControlTable, options: ApplyOptions): Promise<void> {
  const { file, userRef, regions, waitMs, dryRun, say } = options;
  if (keyCheckOf(userRef) !== file.keyCheck)
    throw new Error('expected EARSHOT_HASH_KEY to be the key of the file, got another: it finds no erased user');
  const backup = await findBackup(control, options.takenAtMs);
  await requireNew(control, backup);
  const known = await readKnownState(control, file, options.origins);
  requireCurrent(options, backup, known);
  const records = joinRecords([...(await listErasures(control)), ...file.erasures]);
  const moments = await joinMoments(known);
  await waitForTables(control, Object.values(TABLES), waitMs);
  const isErased = makeIsErased({ records, moments, takenAtMs: backup.takenAtMs, userRef });
  const { rows, users } = await findErasedUsers(control, isErased);
  say(`backup of ${new Date(backup.takenAtMs).toISOString()}: ${backup.name}`);
  say(`${formatPlural(rows, 'row')} of lists, ${formatCount(users.length)} of users that were erased since`);
  if (dryRun) return say(`version ${known.restored.version} would be live as version ${nextVersion(known)}`);

  const pending = await deleteEverywhere({ control, regions, waitMs }, users);
  if (pending.length > 0)
    throw new Error(
      `${pending.join(', ')} still has rows of erased users or does not answer: the instance is not adopted, call it again`,
    );
  say(`nothing of them is left in ${regions.join(', ')}`);
  const finalMs = control.retries.clock.now() + CLOCK_MARGIN_MS;
  await putRecords(control, records, { ...options, finalMs, takenAtMs: backup.takenAtMs });
  const ended = new Map([...moments].map(([hash, atMs]) => [hash, atMs ?? finalMs] as const));
  for (const user of users) ended.set(userHashOf(user), finalMs);
  const documents = await putDocuments(control, known, ended);
  const next = makeNext(known, { documents, users, finalMs, nowMs: control.retries.clock.now() });
  requireWritable(next);
  await waitForTables(control, [TABLES.control], waitMs);
  await adopt(control, known, next, options, backup);
}

/** Throws an Error for an instance that was adopted: lists that users got since would be deleted. */
async function requireNew(control: ControlTable, { name }: Backup): Promise<void> {
  const cell = await readControlCell(control, RECOVERY_ROW);
  if (cell === undefined) return;
  const { backup, version } = JSON.parse(cell.value.toString('utf8')) as { backup?: string; version?: number };
  if (backup === name)
    throw new Error(`this instance was adopted as version ${version}: another call would delete lists of since then`);
}

/** Throws an Error if erasures may be unknown. */
function requireCurrent({ file, withoutOrigins }: ApplyOptions, backup: Backup, { isServed }: KnownState): void {
  if (isServed) return;
  const savedAt = new Date(file.savedAtMs).toISOString();
  if (file.savedAtMs <= backup.takenAtMs)
    throw new Error(
      `expected a recovery file from after the backup, got one of ${savedAt}, and no origin knows the erasures since: name origins that run (EARSHOT_ORIGINS)`,
    );
  if (!withoutOrigins)
    throw new Error(
      `no origin tells the erasures after ${savedAt}, when the file was saved: name origins that run (EARSHOT_ORIGINS), or pass --without-origins if there was no later erasure`,
    );
}

async function waitForTables(control: ControlTable, tables: readonly string[], timeoutMs: number): Promise<void> {
  const { bigtable, retries } = control;
  for (const table of tables) await waitForReplication(bigtable, table, { clock: retries.clock, timeoutMs, retries });
}

interface RecordsToPut {
  readonly file: RecoveryFile;
  readonly takenAtMs: number;
  readonly finalMs: number;
}

/** The records of every erasure, all at their end, and the keep-out list. */
async function putRecords(
  control: ControlTable,
  records: readonly StoredErasure[],
  { file, takenAtMs, finalMs }: RecordsToPut,
): Promise<void> {
  for (const record of records.filter((each) => endedAfter(each.finalMs, takenAtMs))) {
    if (record.keepOut) await addToKeepOut(control, record.refs, record);
    const end = record.finalMs === undefined ? { state: 'done' as const, finalMs, pendingRegions: [] } : {};
    await putErasure(control, { ...record, ...end });
    await forgetUsers(control, record.id);
  }
  const byNote = Map.groupBy(Object.entries(file.keepOut), ([, { by, why }]) => JSON.stringify({ by, why }));
  for (const entries of byNote.values()) {
    const [[, note] = ['', { by: '', why: '' }]] = entries;
    await addToKeepOut(
      control,
      entries.map(([ref]) => ref),
      note,
    );
  }
}

/** Writes the documents, and returns their names for the manifest. */
async function putDocuments(
  control: ControlTable,
  known: KnownState,
  moments: ReadonlyMap<number, number>,
): Promise<Manifest['documents']> {
  const blocked = documentsOf(newestOf(known.restored, known.others)).find(({ kind }) => kind === 'blocked');
  if (blocked !== undefined) await putDocument(control, blocked, await known.readDocument(blocked));
  const erasures: string[] = [];
  for (const part of changeSegments([], moments, control.retries.clock.now()))
    erasures.push(await writeDocument(control, 'erasures', toErasureJson(part)));
  return { erasures, ...(blocked === undefined ? {} : { blocked: blocked.version }) };
}

const nextVersion = ({ highestVersion }: KnownState): number => highestVersion + VERSION_MARGIN;

interface NextParts {
  readonly documents: Manifest['documents'];
  readonly users: readonly UserId[];
  readonly finalMs: number;
  readonly nowMs: number;
}

/** The surfaces of the backup, whose lists are there, with everything newer that takes effect now. */
function makeNext(known: KnownState, { documents, users, finalMs, nowMs }: NextParts): Manifest {
  const { restored, others } = known;
  const newest = { ...withNewestEffects(restored, others, nowMs), documents, version: nextVersion(known) };
  const replayed = users.map((user) => ({ userHash: makeUserHash(user), atMs: finalMs }));
  const next = { ...newest, erasures: newestErasures([...newest.erasures, ...replayed], nowMs) };
  if (findMissingArm(next) === undefined) return next;
  // An experiment that began after the backup has arms that the backup lacks.
  return { ...next, experiments: restored.experiments, holdouts: restored.holdouts };
}

async function adopt(
  control: ControlTable,
  known: KnownState,
  next: Manifest,
  { by, why, waitMs, say }: ApplyOptions,
  { name }: Backup,
): Promise<void> {
  const { clock } = control.retries;
  const note = { what: `recovery apply ${name}`, why, by };
  if (!(await replaceManifest(control, { read: known.kept, next, note, nowMs: clock.now() })))
    throw new Error(
      'another writer changed the manifest at the same moment: the instance is not adopted, call it again',
    );
  const { version } = next;
  const value = Buffer.from(JSON.stringify({ format: 1, backup: name, version, atMs: clock.now(), by, why }));
  const read = await readControlCell(control, RECOVERY_ROW);
  await replaceControlCell(control, { rowKey: RECOVERY_ROW, read, value, what: 'the record of the recovery' });
  await waitForTables(control, [TABLES.control], waitMs);
  say(`version ${known.restored.version} of the backup is live as version ${version}, in every cluster`);
}
