// Scan of a range of rows in steps, so that other calls run in between. Rows may change between steps: the scan
// continues after the last key that it visited.
import type { Row } from './row.ts';
import type { KeyRange } from './row-set.ts';
import type { SortedRows } from './sorted-rows.ts';

export class Scan {
  #low: string;
  #high: string | undefined;
  readonly #rows: SortedRows;
  readonly #reversed: boolean;
  /** Whether the scan has reached the end of the range. */
  done = false;

  constructor(rows: SortedRows, range: KeyRange, reversed: boolean) {
    this.#rows = rows;
    this.#low = range.low;
    this.#high = range.high;
    this.#reversed = reversed;
  }

  /** Visits up to `maxRows` more rows, or fewer when `visit` returns false. */
  step(maxRows: number, visit: (key: string, row: Row) => boolean): void {
    let left = maxRows;
    let isStopped = false;
    const each = (key: string, row: Row): boolean => {
      if (this.#reversed) this.#high = key;
      else this.#low = `${key}\0`;
      isStopped = !visit(key, row) || --left === 0;
      return !isStopped;
    };
    if (this.#reversed) this.#rows.forRangeReversed(this.#low, this.#high, each);
    else this.#rows.forRange(this.#low, this.#high, each);
    this.done = !isStopped;
  }
}
