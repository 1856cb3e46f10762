// The heartbeats of the origins, as the commands read them: which manifest each process serves.
import { grpcCodeOf, NOT_FOUND } from '../../origin/bigtable/bigtable-error.ts';
import type { Row } from '../../origin/bigtable/chunk-merger.ts';
import { readRows } from '../../origin/bigtable/read-rows.ts';
import { FAMILIES, TABLES } from '../../shared/domain/keys.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { type Heartbeat, parseHeartbeat } from '../../shared/wire/heartbeat.ts';
import type { ControlTable } from './control-table.ts';
import { withRetries } from './retry.ts';

/** A heartbeat, and when Bigtable stored it. */
export type StoredHeartbeat = Heartbeat & { readonly storedAtMs: number };

/** A process without a heartbeat for this long is gone. It writes one every 5 s. */
export const LIVE_MS = 15_000;
const POLL_MS = 500;

/**
 * The newest heartbeat of each process of the last day, in the order of regions. A row that is no heartbeat is left
 * out. Throws an EarshotError.
 */
export async function readHeartbeats({ bigtable, appProfile, retries }: ControlTable): Promise<StoredHeartbeat[]> {
  const call = { table: TABLES.heartbeats, appProfile, rows: {}, filter: newestHeartbeat };
  try {
    const rows = await withRetries(retries, (timeoutMs) => readRows(bigtable, { ...call, timeoutMs }));
    return rows.flatMap(({ cells: [cell] }) => (cell === undefined ? [] : toStoredHeartbeats(cell)));
  } catch (error) {
    if (!(error instanceof EarshotError) || grpcCodeOf(error.cause) !== NOT_FOUND) throw error;
    throw new EarshotError('internal', 'table', 'no table heartbeats: run `earshot schema apply`', { cause: error });
  }
}

const newestHeartbeat = {
  chain: { filters: [{ familyNameRegexFilter: FAMILIES.heartbeats }, { cellsPerColumnLimitFilter: 1 }] },
};

function toStoredHeartbeats({ value, timestampMicros }: Row['cells'][number]): StoredHeartbeat[] {
  try {
    return [{ ...parseHeartbeat(value.toString('utf8')), storedAtMs: timestampMicros / 1000 }];
  } catch {
    return [];
  }
}

/** The heartbeats of the processes that serve. */
export const liveHeartbeats = <H extends Pick<StoredHeartbeat, 'isDraining' | 'storedAtMs'>>(
  all: readonly H[],
  nowMs: number,
): H[] => all.filter(({ isDraining, storedAtMs }) => !isDraining && nowMs - storedAtMs <= LIVE_MS);

export interface HeartbeatWait {
  readonly clock: Clock;
  /** Maximum milliseconds. */
  readonly waitMs: number;
  /** Regions that are not waited for. Default: none. */
  readonly exceptRegions?: readonly string[];
}

export interface HeartbeatsSeen {
  /** Live processes with the version, or a later one. */
  readonly confirmed: readonly StoredHeartbeat[];
  /** Live processes that still had an earlier version at the end of the wait. */
  readonly missing: readonly StoredHeartbeat[];
  /** Regions with a live process, in order. A region without one is not known to be served. */
  readonly regions: readonly string[];
}

/**
 * Waits until every live process serves the manifest `version` or a later one, but no longer than `waitMs`. A process
 * that ends meanwhile is not waited for. Throws an EarshotError.
 */
export async function waitForHeartbeats(
  control: ControlTable,
  version: number,
  { clock, waitMs, exceptRegions = [] }: HeartbeatWait,
): Promise<HeartbeatsSeen> {
  const untilMs = clock.monotonicNow() + waitMs;
  for (;;) {
    const all = await readHeartbeats(control);
    const live = liveHeartbeats(all, clock.now()).filter(({ region }) => !exceptRegions.includes(region));
    const missing = live.filter(({ manifestVersion }) => manifestVersion < version);
    const leftMs = untilMs - clock.monotonicNow();
    if (missing.length === 0 || leftMs <= 0) {
      const confirmed = live.filter(({ manifestVersion }) => manifestVersion >= version);
      return { confirmed, missing, regions: [...new Set(live.map(({ region }) => region))].sort() };
    }
    await pause(clock, Math.min(POLL_MS, leftMs));
  }
}
