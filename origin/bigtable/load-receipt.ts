// What was loaded: one row per (surface, variant, generation) beside the manifest. Publishing asks it first, so that a generation that
// was never loaded, or only in part, cannot go live.
import { z } from 'zod';
import { parseGeneration } from '../../shared/generation.ts';
import { FAMILIES, JSON_QUALIFIER, makeLoadRowKey, makeLoadRowKeyPrefix, TABLES } from '../../shared/keys.ts';
import { toTableError } from './bigtable-error.ts';
import type { BigtableConnection } from './connection.ts';
import { NO_RETRY, newestControlCell, readRows, rowsOf } from './read-rows.ts';

const receiptSchema = z.strictObject({
  /** `loading` until the last list is written; a load that died stays so. */
  state: z.enum(['loading', 'loaded']),
  lists: z.int().nonnegative(),
  rejected: z.int().nonnegative(),
});

export type LoadReceipt = z.infer<typeof receiptSchema>;

export interface Load {
  readonly surface: string;
  readonly variant: string;
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

const TIMEOUT_MS = 10_000;

/** Throws an EarshotError of source `table`. */
export async function writeLoadReceipt(
  bigtable: BigtableConnection,
  appProfile: string,
  { surface, variant, generation }: Load,
  receipt: LoadReceipt,
  nowMs: number,
): Promise<void> {
  try {
    await bigtable.data.mutateRow(
      {
        tableName: bigtable.tableName(TABLES.control),
        appProfileId: appProfile,
        rowKey: Buffer.from(makeLoadRowKey(surface, variant, generation)),
        mutations: [
          // One receipt only, whatever the clocks of those who loaded say.
          { deleteFromRow: {} },
          {
            setCell: {
              familyName: FAMILIES.control,
              columnQualifier: Buffer.from(JSON_QUALIFIER),
              timestampMicros: nowMs * 1000,
              value: Buffer.from(JSON.stringify(receipt)),
            },
          },
        ],
      },
      { timeout: TIMEOUT_MS, retryRequestOptions: NO_RETRY },
    );
  } catch (error) {
    throw toTableError(error, 'recording the load');
  }
}

/** The receipt of one load; undefined when it never began. */
export async function readLoadReceipt(
  bigtable: BigtableConnection,
  appProfile: string,
  { surface, variant, generation }: Load,
): Promise<LoadReceipt | undefined> {
  const rows = rowsOf([makeLoadRowKey(surface, variant, generation)]);
  const [row] = await readRows(bigtable, {
    table: TABLES.control,
    appProfile,
    rows,
    filter: newestControlCell,
    timeoutMs: TIMEOUT_MS,
  });
  const json = row?.cells[0]?.value.toString('utf8');
  return json === undefined ? undefined : receiptSchema.parse(JSON.parse(json));
}

/** The generations of a variant whose load has begun, oldest first. */
export async function listLoads(
  bigtable: BigtableConnection,
  appProfile: string,
  { surface, variant }: Omit<Load, 'generation'>,
): Promise<number[]> {
  const prefix = makeLoadRowKeyPrefix(surface, variant);
  const rows = await readRows(bigtable, {
    table: TABLES.control,
    appProfile,
    rows: { rowRanges: [{ startKeyClosed: Buffer.from(prefix), endKeyOpen: Buffer.from(`${prefix}~`) }] },
    filter: newestControlCell,
    timeoutMs: TIMEOUT_MS,
  });
  return rows.map((row) => parseGeneration(row.key.toString('latin1').slice(prefix.length)) ?? Number.NaN);
}
