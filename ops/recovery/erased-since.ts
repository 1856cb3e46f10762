// The erasures that a backup lacks, from every record and every document that survived, and the users of the restored
// table that they name. Records have references and documents have hashes, so every row key is compared with both.
import { isLoadableUser, type UserId } from '../../shared/domain/ids.ts';
import { idOfRowKey, TABLES, userHashOf } from '../../shared/domain/keys.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { scanPages } from '../bigtable/scan-pages.ts';
import type { UserRef } from '../cli/user-ref.ts';
import { ERASURE_STATES, type StoredErasure } from '../effects/erasure-record.ts';
import type { Segment } from '../effects/erasure-segments.ts';

/** Each erasure once, in its last state. */
export function joinRecords(all: readonly StoredErasure[]): StoredErasure[] {
  const byId = new Map<string, StoredErasure>();
  for (const each of all) {
    const known = byId.get(each.id);
    if (known === undefined || orderOf(known) < orderOf(each)) byId.set(each.id, each);
  }
  return [...byId.values()];
}

const orderOf = ({ state }: StoredErasure): number => ERASURE_STATES.indexOf(state);

/** Final moments are later than the deletion by more than clocks differ. */
export const endedAfter = (atMs: number | null | undefined, takenAtMs: number): boolean =>
  atMs === null || atMs === undefined || atMs > takenAtMs;

export interface ErasedSince {
  readonly records: readonly StoredErasure[];
  /** The latest moments of all documents. */
  readonly moments: Segment;
  readonly takenAtMs: number;
  readonly userRef: UserRef;
}

/** Whether the backup may have rows of the user, although it must not. */
export function makeIsErased({ records, moments, takenAtMs, userRef }: ErasedSince): (user: string) => boolean {
  const later = records.filter(({ finalMs }) => endedAfter(finalMs, takenAtMs));
  const refs = new Set(later.flatMap((record) => record.refs));
  const hashes = new Set([...moments].flatMap(([hash, atMs]) => (endedAfter(atMs, takenAtMs) ? [hash] : [])));
  return (user) => hashes.has(userHashOf(user)) || (refs.size > 0 && refs.has(userRef(user)));
}

const KEYS_PER_PAGE = 5_000;
const keysOnly = { chain: { filters: [{ cellsPerRowLimitFilter: 1 }, { stripValueTransformer: true }] } };

export interface FoundUsers {
  readonly rows: number;
  readonly users: readonly UserId[];
}

/** Reads every row key of the lists. Throws an EarshotError. */
export async function findErasedUsers(control: ControlTable, isErased: (user: string) => boolean): Promise<FoundUsers> {
  const range = { from: '', to: undefined };
  const scan = { table: TABLES.recommendations, range, filter: keysOnly, rowsPerPage: KEYS_PER_PAGE };
  const users: UserId[] = [];
  let rows = 0;
  for await (const page of scanPages(control, scan)) {
    rows += page.length;
    for (const { key } of page) {
      const id = idOfRowKey(key.toString('latin1'));
      if (isLoadableUser(id) && isErased(id)) users.push(id);
    }
  }
  return { rows, users };
}
