// The steps of an erasure: the users are hidden, their rows are deleted, every cluster has the deletion, and a final
// moment outlaws whatever caches hold from before. Each step may run twice, so a killed erasure is resumed from its
// record. Until the end the users are hidden: no cache and no region is asked for them.
import type { DocumentName } from '../../shared/domain/effects/documents.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import { makeUserHash, TABLES, userHashOf } from '../../shared/domain/keys.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { pause } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { waitForReplication } from '../bigtable/replication.ts';
import { newestErasures } from '../manifest/known-erasures.ts';
import type { Origins } from '../manifest/served-manifests.ts';
import { confirmLive } from '../release/confirm.ts';
import type { EdgeSample } from '../release/edge-sample.ts';
import { readLive } from '../release/live.ts';
import { changeDocuments, deleteOldDocuments, readStored, writeDocument } from './documents.ts';
import {
  advanceErasure,
  findOpenErasures,
  forgetUsers,
  readErasedUsers,
  readErasure,
  type StoredErasure,
} from './erasure-record.ts';
import { changeSegments, type Segment, toErasureJson, toSegment } from './erasure-segments.ts';
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
  /** Runs at the end, while the ids are still known. If it rejects, the erasure stays open. Default: nothing. */
  readonly verify?: (users: readonly UserId[]) => Promise<void>;
}

/** Clocks differ by less than this: the final moment is so much later than the deletion. */
export const CLOCK_MARGIN_MS = 5_000;
const POLL_MS = 500;

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
  await deps.verify?.(users);
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
  const { version, writtenAtMs } = await changeDocuments(control, {
    ...{ what: `erase ${id}: ${atMs === null ? 'hidden' : 'erased'}`, why, by, dryRun: false, origins },
    prepare: async ({ erasures: versions = [], ...others }, nowMs) => {
      // Another process may have gone on with this erasure: its users must not be hidden again after the end.
      if (atMs === null && (await readErasure(control, id))?.state !== 'hiding') return undefined;
      if (atMs === null && (await readErasedUsers(control, id)) === undefined)
        throw new Error(`${id}: another command took it for dead, and nothing is hidden: erase the users again`);
      const hiddenByOthers = atMs === null ? NOBODY : await findHiddenByOthers(control, id);
      const noted = users.filter((user) => !hiddenByOthers.has(user));
      const changes: Segment = new Map(noted.map((user) => [userHashOf(user), atMs]));
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
        erasures: withErasures(erasures, noted, { atMs: atMs ?? nowMs, nowMs }),
      };
    },
  });
  return confirmLive(control, { version, writtenAtMs, exceptRegions: [], sampleEdge });
}

const NOBODY: ReadonlySet<UserId> = new Set();

/** The users whom another erasure hides, or is about to: its own final moment ends that. */
export async function findHiddenByOthers(control: ControlTable, id: string): Promise<ReadonlySet<UserId>> {
  const hidden = new Set<UserId>();
  for (const { id: other } of await findOpenErasures(control)) {
    const state = other === id ? undefined : (await readErasure(control, other))?.state;
    if (state !== 'hiding' && state !== 'hidden') continue;
    for (const user of (await readErasedUsers(control, other)) ?? []) hidden.add(user);
  }
  return hidden;
}

/** The newest, each user once. */
function withErasures(
  known: Manifest['erasures'],
  users: readonly UserId[],
  { atMs, nowMs }: { readonly atMs: number; readonly nowMs: number },
): Manifest['erasures'] {
  return newestErasures([...known, ...users.map((user) => ({ userHash: makeUserHash(user), atMs }))], nowMs);
}

/** The regions whose clusters have rows of the users at the end of the wait, or do not answer. */
export async function deleteEverywhere(
  deps: Pick<EraseDeps, 'control' | 'regions' | 'waitMs'>,
  users: readonly UserId[],
): Promise<string[]> {
  const { control, regions, waitMs } = deps;
  const { clock } = control.retries;
  const untilMs = clock.monotonicNow() + waitMs;
  await deleteUserRows(control, users);
  for (;;) {
    const left = await Promise.all(regions.map((region) => rowsLeft(control, region, users)));
    const pending = regions.filter((_, i) => left[i] === undefined || (left[i]?.length ?? 0) > 0);
    // A cluster without a row of theirs may still get an older write, and the deletion behind it.
    if (pending.length === 0) return (await isReplicated(control, untilMs - clock.monotonicNow())) ? [] : [...regions];
    if (clock.monotonicNow() + POLL_MS > untilMs) return pending;
    await pause(clock, POLL_MS);
    // A load beside the erasure may have written a row again.
    const again = [...new Set(left.flatMap((each) => each ?? []))];
    if (again.length > 0) await deleteUserRows(control, again);
  }
}

/** Whether every cluster has all writes from before the call, within `leftMs`. */
async function isReplicated({ bigtable, retries }: ControlTable, leftMs: number): Promise<boolean> {
  const { clock } = retries;
  try {
    await waitForReplication(bigtable, TABLES.recommendations, { clock, timeoutMs: Math.max(0, leftMs), retries });
    return true;
  } catch (error) {
    if (error instanceof EarshotError) return false;
    throw error;
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
