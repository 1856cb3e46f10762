// The steps of an erasure: the users are hidden, their rows are deleted, every cluster has the deletion, and a final
// moment outlaws whatever caches hold from before. Each step may run twice, so a killed erasure is resumed from its
// record. Until the end the users are hidden: no cache and no region is asked for them.
import type { DocumentName } from '../../shared/domain/effects/documents.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { makeUserHash, userHashOf } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { pause } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import type { Origins } from '../manifest/served-manifests.ts';
import { confirmLive } from '../release/confirm.ts';
import type { EdgeSample } from '../release/edge-sample.ts';
import { readLive } from '../release/live.ts';
import { changeDocuments, deleteOldDocuments, readStored, writeDocument } from './documents.ts';
import { advanceErasure, forgetUsers, readErasure, type StoredErasure } from './erasure-record.ts';
import { changeSegments, KEEP_ERASURE_MS, type Segment, toErasureJson, toSegment } from './erasure-segments.ts';
import { addToKeepOut, KEEP_OUT_POLL_MS } from './keep-out.ts';
import { deleteUserRows, findRows } from './user-rows.ts';

export interface EraseDeps {
  readonly control: ControlTable;
  readonly origins: Origins | undefined;
  readonly sampleEdge: EdgeSample | undefined;
  readonly regions: readonly string[];
  /** Maximum milliseconds for every cluster to have the deletion. */
  readonly waitMs: number;
  readonly say: (line: string) => void;
}

/** Clocks differ by less than this: the final moment is so much later than the deletion. */
export const CLOCK_MARGIN_MS = 5_000;
const POLL_MS = 500;
/** Readers that know no documents get the newest erasures in the manifest. */
const MAX_IN_MANIFEST = 500;

/** Runs the erasure from its state on. Returns it as it ends: `done`, or `hidden` if a cluster still has rows. */
export async function runErasure(
  deps: EraseDeps,
  begun: StoredErasure,
  users: readonly UserId[],
): Promise<StoredErasure> {
  const { control, say } = deps;
  let erasure = begun;
  if (erasure.state === 'hiding') {
    if (erasure.keepOut) {
      await addToKeepOut(control, erasure.refs, erasure);
      // Running loads know it before the rows are deleted.
      await pause(control.retries.clock, 2 * KEEP_OUT_POLL_MS);
    }
    const hidden = await note(deps, erasure, users, null);
    erasure = await advanceErasure(control, erasure.id, { state: 'hidden' });
    say(`${erasure.id}: hidden; ${hidden.trimEnd()}`);
  }
  if (erasure.state === 'hidden') {
    const pendingRegions = await deleteEverywhere(deps, users);
    erasure = await advanceErasure(control, erasure.id, {
      pendingRegions,
      ...(pendingRegions.length === 0 ? { state: 'deleted' as const } : {}),
    });
    if (pendingRegions.length > 0) return erasure;
    say(`${erasure.id}: deleted in ${deps.regions.join(', ')}`);
  }
  if (erasure.state === 'deleted') {
    const finalMs = control.retries.clock.now() + CLOCK_MARGIN_MS;
    say((await note(deps, erasure, users, finalMs)).trimEnd());
    erasure = await advanceErasure(control, erasure.id, { state: 'done', finalMs });
  }
  await forgetUsers(control, erasure.id);
  await deleteOldDocuments(control, await readLive(control));
  return erasure;
}

/** Notes the moment of each user, or that it is hidden, and waits until readers have the note. */
async function note(
  deps: EraseDeps,
  { id, by, why }: StoredErasure,
  users: readonly UserId[],
  atMs: number | null,
): Promise<string> {
  const { control, origins, sampleEdge } = deps;
  const changes: Segment = new Map(users.map((user) => [userHashOf(user), atMs]));
  const { version, writtenAtMs } = await changeDocuments(control, {
    ...{ what: `erase ${id}: ${atMs === null ? 'hidden' : 'erased'}`, why, by, dryRun: false, origins },
    prepare: async ({ erasures: versions = [], ...others }, nowMs) => {
      // Another process may have gone on with this erasure: its users must not be hidden again after the end.
      if (atMs === null && (await readErasure(control, id))?.state !== 'hiding') return undefined;
      const names = versions.map((each): DocumentName => ({ kind: 'erasures', version: each }));
      const segments = await Promise.all(
        names.map(async (name) => toSegment(await readStored(control, name, origins))),
      );
      const next = changeSegments(segments, changes, nowMs);
      const written = await Promise.all(
        next.map((segment) => {
          const known = segments.indexOf(segment);
          return known === -1
            ? writeDocument(control, 'erasures', toErasureJson(segment))
            : (versions[known] as string);
        }),
      );
      const { erasures } = await readLive(control);
      return {
        documents: { ...others, erasures: written },
        erasures: withErasures(erasures, users, { atMs: atMs ?? nowMs, nowMs }),
      };
    },
  });
  return confirmLive(control, { version, writtenAtMs, exceptRegions: [], sampleEdge });
}

/** The newest MAX_IN_MANIFEST, each user once. */
function withErasures(
  known: Manifest['erasures'],
  users: readonly UserId[],
  { atMs, nowMs }: { readonly atMs: number; readonly nowMs: number },
): Manifest['erasures'] {
  const remembered = known.filter((each) => each.atMs > nowMs - KEEP_ERASURE_MS);
  const latest = new Map(remembered.map((each) => [each.userHash, each]));
  for (const user of users) {
    const userHash = makeUserHash(user);
    latest.set(userHash, { userHash, atMs: Math.max(atMs, latest.get(userHash)?.atMs ?? 0) });
  }
  return [...latest.values()].sort((a, b) => b.atMs - a.atMs).slice(0, MAX_IN_MANIFEST);
}

/** The regions whose clusters have rows of the users at the end of the wait, or do not answer. */
async function deleteEverywhere(deps: EraseDeps, users: readonly UserId[]): Promise<string[]> {
  const { control, regions, waitMs } = deps;
  const { clock } = control.retries;
  const untilMs = clock.monotonicNow() + waitMs;
  await deleteUserRows(control, users);
  for (;;) {
    const left = await Promise.all(regions.map((region) => rowsLeft(control, region, users)));
    const pending = regions.filter((_, i) => left[i] === undefined || (left[i]?.length ?? 0) > 0);
    if (pending.length === 0) return [];
    if (clock.monotonicNow() + POLL_MS > untilMs) return pending;
    await pause(clock, POLL_MS);
    // A load beside the erasure may have written a row again.
    const again = [...new Set(left.flatMap((each) => each ?? []))];
    if (again.length > 0) await deleteUserRows(control, again);
  }
}

/** Undefined if the cluster does not answer. */
async function rowsLeft(
  control: ControlTable,
  region: string,
  users: readonly UserId[],
): Promise<readonly UserId[] | undefined> {
  try {
    return await findRows(control, region, users);
  } catch (error) {
    if (error instanceof EarshotError) return undefined;
    throw error;
  }
}
