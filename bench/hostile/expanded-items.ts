// One listener whose list has 100 items with metadata of 16 kB each: 1.6 MB as an expanded list.

import { type BigtableAddress, connectBigtable } from '../../origin/bigtable/connection.ts';
import { FAMILIES, JSON_QUALIFIER, makeItemRowKey, makeListQualifier, TABLES } from '../../shared/domain/keys.ts';
import { encodeItem, ITEM_SEPARATOR, MAX_ITEMS } from '../../shared/domain/list.ts';
import { GENERATION, SURFACE, VARIANT } from '../support/table-data.ts';

export const EXPANDED_USER = 'expander';
const METADATA_BYTES = 16_000;
const TIMEOUT_MS = 60_000;

export async function writeExpandedItems(address: BigtableAddress): Promise<void> {
  const bigtable = connectBigtable(address);
  try {
    const ids = Array.from({ length: MAX_ITEMS }, (_, i) => `large:${i}`);
    const list = ids.map((id, i) => encodeItem(id, String(1 - i / 1000))).join(ITEM_SEPARATOR);
    const metadata = JSON.stringify({ name: 'x'.repeat(METADATA_BYTES) });
    const write = async (table: string, rows: readonly [key: string, cell: object][]): Promise<void> => {
      const entries = rows.map(([key, setCell]) => ({
        rowKey: Buffer.from(makeItemRowKey(key)),
        mutations: [{ setCell: { timestampMicros: GENERATION * 1000, ...setCell } }],
      }));
      const request = { tableName: bigtable.tableName(table), appProfileId: 'ingest', entries };
      for await (const answer of (await bigtable.data()).mutateRows(request, { timeout: TIMEOUT_MS })) {
        for (const { status } of answer.entries) if (status.code !== 0) throw new Error(status.message);
      }
    };
    const listCell = {
      familyName: FAMILIES.lists,
      columnQualifier: Buffer.from(makeListQualifier(SURFACE, VARIANT)),
      value: Buffer.from(list),
    };
    await write(TABLES.recommendations, [[EXPANDED_USER, listCell]]);
    const itemCell = {
      familyName: FAMILIES.metadata,
      columnQualifier: Buffer.from(JSON_QUALIFIER),
      value: Buffer.from(metadata),
    };
    await write(
      TABLES.items,
      ids.map((id) => [id, itemCell]),
    );
  } finally {
    await bigtable.close();
  }
}
