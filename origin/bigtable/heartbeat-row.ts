// Writes the heartbeat of this process: one row of the table `heartbeats`, the only table that an origin writes.
import { FAMILIES, JSON_QUALIFIER, makeHeartbeatRowKey, TABLES } from '../../shared/domain/keys.ts';
import type { Heartbeat } from '../../shared/wire/heartbeat.ts';
import { toTableError } from './bigtable-error.ts';
import type { BigtableConnection } from './connection.ts';

export interface HeartbeatWrite {
  /** A profile of reads: a plain write needs no single-row transactions. */
  readonly appProfile: string;
  readonly heartbeat: Heartbeat;
  /** Milliseconds for the call. */
  readonly timeoutMs: number;
}

/** Bigtable gives the cell its time: the clock of an origin may be wrong. Throws an EarshotError of source `table`. */
export async function writeHeartbeat(
  bigtable: BigtableConnection,
  { appProfile, heartbeat, timeoutMs }: HeartbeatWrite,
): Promise<void> {
  const setCell = {
    familyName: FAMILIES.heartbeats,
    columnQualifier: Buffer.from(JSON_QUALIFIER),
    timestampMicros: SERVER_TIME,
    value: Buffer.from(JSON.stringify(heartbeat)),
  };
  const row = {
    tableName: bigtable.tableName(TABLES.heartbeats),
    appProfileId: appProfile,
    rowKey: Buffer.from(makeHeartbeatRowKey(heartbeat.region, heartbeat.process)),
  };
  try {
    const data = await bigtable.data();
    await data.mutateRow({ ...row, mutations: [{ setCell }] }, { timeout: timeoutMs, retry: null });
  } catch (error) {
    throw toTableError(error, `MutateRow of ${TABLES.heartbeats}`);
  }
}

const SERVER_TIME = -1;
