// Cells of a process before whose inputs were others: the release has the ids of this load, and no more.
import { APP_PROFILES } from '../../origin/bigtable/app-profiles.ts';
import { idOfRowKey } from '../../shared/domain/keys.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { type CellColumn, scanCells } from '../bigtable/scan-cells.ts';
import { createBulkWriter } from '../bigtable/writes/bulk-writer.ts';

/** Deletes the cells of ids that the load has not. `requireHeld` throws an Error if the load must not go on. */
export async function deleteOthers(
  control: ControlTable,
  column: CellColumn,
  hasId: (id: string) => boolean,
  requireHeld: () => void,
): Promise<void> {
  const { clock, random } = control.retries;
  const writer = createBulkWriter(control.bigtable, {
    ...{ ...column, appProfile: APP_PROFILES.ingest, clock, random, requireAllowed: requireHeld },
  });
  try {
    for await (const keys of scanCells(control, column)) {
      requireHeld();
      for (const rowKey of keys) {
        if (hasId(idOfRowKey(rowKey) ?? rowKey)) continue;
        const room = writer.write({ rowKey, value: undefined });
        if (room !== undefined) await room;
      }
    }
    await writer.flush();
  } finally {
    await writer.stop();
  }
}
