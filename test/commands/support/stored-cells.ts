// All cells of a column, read from a cluster behind the loader's back.
import { hash } from 'node:crypto';
import { APP_PROFILES } from '../../../origin/bigtable/app-profiles.ts';
import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { readRows } from '../../../origin/bigtable/read-rows.ts';
import { FAMILIES, TABLES } from '../../../shared/domain/keys.ts';

const RANGES = 64;
const TIMEOUT_MS = 60_000;

export interface StoredCells {
  /** Every version counts. */
  readonly count: number;
  /** Different timestamps, in milliseconds. */
  readonly timestamps: readonly number[];
  /** A hash of all row keys and values in their order. */
  readonly digest: string;
}

export async function readStoredCells(bigtable: BigtableConnection, qualifier: string): Promise<StoredCells> {
  const timestamps = new Set<number>();
  let count = 0;
  let digest = '';
  for (let i = 0; i < RANGES; i++) {
    const edge = (at: number): Buffer =>
      Buffer.from(at === RANGES ? 'g' : (at * (0x10000 / RANGES)).toString(16).padStart(4, '0'));
    const rows = await readRows(bigtable, {
      ...{ table: TABLES.recommendations, appProfile: APP_PROFILES.ingest, timeoutMs: TIMEOUT_MS },
      rows: { rowRanges: [{ startKeyClosed: edge(i), endKeyOpen: edge(i + 1) }] },
      filter: {
        chain: {
          filters: [{ familyNameRegexFilter: FAMILIES.lists }, { columnQualifierRegexFilter: Buffer.from(qualifier) }],
        },
      },
    });
    for (const { key, cells } of rows) {
      for (const { value, timestampMicros } of cells) {
        count++;
        timestamps.add(timestampMicros / 1_000);
        digest = hash('sha256', `${digest}${key.toString()}=${value.toString()}`);
      }
    }
  }
  return { count, timestamps: [...timestamps].sort(), digest };
}
