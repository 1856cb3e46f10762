// A row of the `control` table with one JSON cell that is replaced by compare-and-set.
import { newestControlCell, readRows, rowsOf } from '../../origin/bigtable/read-rows.ts';
import { JSON_QUALIFIER, TABLES } from '../../shared/domain/keys.ts';
import { type ControlTable, compareAndSet, laterThan, type Outcome } from './control-table.ts';
import { withRetries } from './retry.ts';

export interface ControlCell {
  readonly value: Buffer;
  readonly writtenAtMs: number;
}

/** Undefined for a row without a cell. Throws an EarshotError. */
export async function readControlCell(control: ControlTable, rowKey: string): Promise<ControlCell | undefined> {
  const { bigtable, appProfile, retries } = control;
  const rows = rowsOf([rowKey]);
  const [row] = await withRetries(retries, (timeoutMs) =>
    readRows(bigtable, { table: TABLES.control, appProfile, rows, filter: newestControlCell, timeoutMs }),
  );
  const cell = row?.cells[0];
  return cell === undefined ? undefined : { value: cell.value, writtenAtMs: cell.timestampMicros / 1000 };
}

export interface CellReplacement {
  readonly rowKey: string;
  /** The cell that the writer has read; undefined for none. */
  readonly read: ControlCell | undefined;
  /** Undefined: the row is deleted. */
  readonly value: Buffer | undefined;
  /** Words for an error: `the compare-and-set of the record`. */
  readonly what: string;
}

/** The moment of the written cell, or undefined after a conflict. Throws an EarshotError. */
export async function replaceControlCell(
  control: ControlTable,
  { rowKey, read, value, what }: CellReplacement,
): Promise<number | undefined> {
  const writtenAtMs = laterThan(read?.writtenAtMs, control.retries.clock.now());
  const readOutcome = async (): Promise<Outcome> => {
    const stored = await readControlCell({ ...control, retries: { ...control.retries, totalMs: 0 } }, rowKey);
    if (value === undefined ? stored === undefined : stored?.writtenAtMs === writtenAtMs && stored.value.equals(value))
      return 'done';
    return stored?.writtenAtMs === read?.writtenAtMs ? 'not done' : 'overtaken';
  };
  const cells = value === undefined ? undefined : { [JSON_QUALIFIER]: value };
  const write = { rowKey, readAtMs: read?.writtenAtMs, writtenAtMs, cells, what };
  return (await compareAndSet(control, write, readOutcome)) ? writtenAtMs : undefined;
}
