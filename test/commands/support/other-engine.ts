// Lists as another engine writes them: through the default app profile, without a record, and wherever it is told to.
import { createBulkWriter } from '../../../ops/bigtable/writes/bulk-writer.ts';
import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { toUserId } from '../../../shared/domain/ids.ts';
import { makeRowKey, TABLES } from '../../../shared/domain/keys.ts';
import { encodeItem, ITEM_SEPARATOR } from '../../../shared/domain/list.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';

export interface EngineCell {
  readonly rowKey: string;
  readonly value: string;
}

export interface EnginePlace {
  readonly timestampMs: number;
  /** Default: `l` */
  readonly family?: string;
  /** Default: `home/control` */
  readonly qualifier?: string;
}

const ITEMS = 10;

/** Valid lists of `u:0` and the users after it. Lists of two days in a row have 9 of 10 items in common. */
export const engineCells = (count: number, day = 0): EngineCell[] =>
  Array.from({ length: count }, (_, user) => ({
    rowKey: makeRowKey(toUserId(`u:${user}`)),
    value: Array.from({ length: ITEMS }, (_item, i) =>
      encodeItem(`artist:${user + day + i}`, (1 - i / 20).toFixed(2)),
    ).join(ITEM_SEPARATOR),
  }));

export async function writeAsEngine(
  bigtable: BigtableConnection,
  cells: readonly EngineCell[],
  { timestampMs, family = 'l', qualifier = 'home/control' }: EnginePlace,
): Promise<void> {
  const writer = createBulkWriter(bigtable, {
    ...{ table: TABLES.recommendations, family, qualifier, timestampMs, appProfile: 'default' },
    ...{ clock: systemClock, random: Math.random },
  });
  for (const cell of cells) await writer.write(cell);
  await writer.flush();
}
