// The publications under way, as an origin reads them from the `control` table for its metrics. A command renews its
// row: a row without renewal belongs to a process that is gone. ops/bigtable/open-release.ts writes it.
import { z } from 'zod';
import { OPEN_ROW_KEY_PREFIX, TABLES } from '../../shared/domain/keys.ts';
import type { BigtableConnection } from './connection.ts';
import { newestControlCell, readRows } from './read-rows.ts';

export interface OpenPublication {
  /** `home/control`. */
  readonly line: string;
  readonly step: string;
  /** When its command last wrote the row. */
  readonly renewedAtMs: number;
}

const schema = z.looseObject({ step: z.string().regex(/^[a-z-]{1,32}$/) });

/** Maximum number of publications that are told. */
const MAX_OPEN = 50;

/** Throws an EarshotError. A row that is no publication is left out. */
export async function readOpenPublications(
  bigtable: BigtableConnection,
  appProfile: string,
  timeoutMs: number,
): Promise<OpenPublication[]> {
  const prefix = OPEN_ROW_KEY_PREFIX;
  const rows = { rowRanges: [{ startKeyClosed: Buffer.from(prefix), endKeyOpen: Buffer.from(`${prefix}~`) }] };
  const found = await readRows(bigtable, {
    ...{ table: TABLES.control, appProfile, rows, filter: newestControlCell, timeoutMs },
  });
  return found.slice(0, MAX_OPEN).flatMap(({ key, cells: [cell] }) => {
    const step = stepIn(cell?.value);
    if (cell === undefined || step === undefined) return [];
    const line = key.toString('latin1').slice(prefix.length);
    return [{ line, step, renewedAtMs: cell.timestampMicros / 1000 }];
  });
}

function stepIn(value: Buffer | undefined): string | undefined {
  try {
    return schema.safeParse(JSON.parse(value?.toString('utf8') ?? '')).data?.step;
  } catch {
    return undefined;
  }
}
