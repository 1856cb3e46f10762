// The receipt of a load: one row per (surface, variant, generation) beside the manifest. Publishing requires a complete
// one, so a generation that was loaded partly or never cannot go live.
import { z } from 'zod';
import { toTableError } from '../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { newestControlCell, readRows } from '../../origin/bigtable/read-rows.ts';
import { parseGeneration } from '../../shared/domain/generation.ts';
import { FAMILIES, JSON_QUALIFIER, makeLoadRowKey, makeLoadRowKeyPrefix, TABLES } from '../../shared/domain/keys.ts';

const receiptSchema = z.strictObject({
  /** `loading` until the last list is written. A load that died stays `loading`. */
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
    await (await bigtable.data()).mutateRow(
      {
        tableName: bigtable.tableName(TABLES.control),
        appProfileId: appProfile,
        rowKey: Buffer.from(makeLoadRowKey(surface, variant, generation)),
        mutations: [
          // One receipt only, whatever the clocks of the loaders.
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
      { timeout: TIMEOUT_MS },
    );
  } catch (error) {
    throw toTableError(error, 'recording the load');
  }
}

export interface RecordedLoad extends LoadReceipt {
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

/** The started loads of a variant, oldest generation first. */
export async function listLoads(
  bigtable: BigtableConnection,
  appProfile: string,
  { surface, variant }: Omit<Load, 'generation'>,
): Promise<RecordedLoad[]> {
  const prefix = makeLoadRowKeyPrefix(surface, variant);
  const rows = await readRows(bigtable, {
    table: TABLES.control,
    appProfile,
    rows: { rowRanges: [{ startKeyClosed: Buffer.from(prefix), endKeyOpen: Buffer.from(`${prefix}~`) }] },
    filter: newestControlCell,
    timeoutMs: TIMEOUT_MS,
  });
  return rows.flatMap(({ key, cells: [cell] }) => {
    const generation = parseGeneration(key.toString('latin1').slice(prefix.length));
    if (generation === undefined || cell === undefined) return [];
    return [{ generation, ...receiptSchema.parse(JSON.parse(cell.value.toString('utf8'))) }];
  });
}
