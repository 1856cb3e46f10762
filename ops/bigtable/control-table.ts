// Access of the commands to the `control` table: the app profile, whose cluster answers, and how long calls are
// repeated. The reads and the compare-and-set of manifest and receipts go through it.
import { isRetryable, toTableError } from '../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { newestControlCell, type RowFilter } from '../../origin/bigtable/read-rows.ts';
import { FAMILIES, TABLES } from '../../shared/domain/keys.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { type Retries, withRetries } from './retry.ts';

export interface ControlTable {
  readonly bigtable: BigtableConnection;
  /** A single-cluster profile that allows single-row transactions. */
  readonly appProfile: string;
  readonly retries: Retries;
}

export interface ControlWrite {
  readonly rowKey: string;
  /** Moment of the newest JSON cell that the writer has read. Undefined: the row had none. */
  readonly readAtMs: number | undefined;
  /** Value by qualifier; `undefined` deletes the row. All cells get the moment `writtenAtMs`. */
  readonly cells: Readonly<Record<string, Buffer>> | undefined;
  readonly writtenAtMs: number;
  /** Words for an error, for example `the compare-and-set of the manifest`. */
  readonly what: string;
}

/** The outcome of an attempt without an answer, by a later read. */
export type Outcome = 'done' | 'not done' | 'overtaken';

/**
 * Writes if the newest JSON cell of the row is still the one from `readAtMs`. Returns false if another writer was
 * first.
 *
 * An attempt whose answer was lost may have written. `readOutcome` then decides. The write is sent again only while
 * the row is unchanged: with the same condition, bytes and timestamp, so that two attempts write once. Throws an
 * EarshotError of source `table`.
 */
export async function compareAndSet(
  control: ControlTable,
  write: ControlWrite,
  readOutcome: () => Promise<Outcome>,
): Promise<boolean> {
  let isUncertain = false;
  try {
    return await withRetries(control.retries, async (timeoutMs) => {
      const outcome = isUncertain ? await readOutcome() : 'not done';
      if (outcome !== 'not done') return outcome === 'done';
      try {
        if (await send(control, write, timeoutMs)) return true;
      } catch (error) {
        isUncertain ||= isRetryable(error);
        throw error;
      }
      // The condition also fails after an earlier attempt has written.
      return isUncertain && (await readOutcome()) === 'done';
    });
  } catch (error) {
    const { code, message, cause } = toTableError(error, write.what);
    if (!isUncertain) throw error;
    throw new EarshotError(code, 'table', `${message}; ${write.what} may have been done all the same`, { cause });
  }
}

/** Whether the condition held. */
async function send({ bigtable, appProfile }: ControlTable, write: ControlWrite, timeoutMs: number): Promise<boolean> {
  const { rowKey, readAtMs, writtenAtMs, cells, what } = write;
  const mutations =
    cells === undefined
      ? [{ deleteFromRow: {} }]
      : Object.entries(cells).map(([qualifier, value]) => ({
          setCell: {
            familyName: FAMILIES.control,
            columnQualifier: Buffer.from(qualifier),
            timestampMicros: writtenAtMs * 1000,
            value,
          },
        }));
  const request = {
    tableName: bigtable.tableName(TABLES.control),
    appProfileId: appProfile,
    rowKey: Buffer.from(rowKey),
    ...(readAtMs === undefined
      ? { predicateFilter: newestControlCell, falseMutations: mutations }
      : { predicateFilter: newestIsFrom(readAtMs), trueMutations: mutations }),
  };
  try {
    // No retry by the client: it would take the conflict with its own first attempt for that of another writer.
    const [{ predicateMatched }] = await (await bigtable.data()).checkAndMutateRow(request, {
      timeout: timeoutMs,
      retry: null,
    });
    return predicateMatched === (readAtMs !== undefined);
  } catch (error) {
    throw toTableError(error, what);
  }
}

/** Timestamps only grow, so they identify a cell. Its value may be too large for a filter (20 480 bytes). */
const newestIsFrom = (writtenAtMs: number): RowFilter => ({
  chain: {
    filters: [
      newestControlCell,
      {
        timestampRangeFilter: {
          startTimestampMicros: writtenAtMs * 1000,
          endTimestampMicros: (writtenAtMs + 1) * 1000,
        },
      },
    ],
  },
});

/** Later than the replaced cell, also with a slow clock: the newest cell counts. */
export const laterThan = (readAtMs: number | undefined, nowMs: number): number => Math.max(nowMs, (readAtMs ?? 0) + 1);
