// The rows of one table in one cluster, sorted by key. Keys are bytes as latin1 text: string order is byte order.
import BTreeModule from 'sorted-btree';
import { type PackedRow, packRow, unpackRow } from './packed-row.ts';
import { compareText, type Row } from './row.ts';

// The package is CommonJS with its class under `default`. Node's ESM nests it one level deeper than its types say.
const BTree = (BTreeModule as unknown as { default: typeof BTreeModule }).default ?? BTreeModule;

/** Sorts after every key: no byte is above U+00FF. */
const AFTER_ALL = '\uffff';
const STOP = { break: true };

export class SortedRows {
  readonly #tree = new BTree<string, PackedRow>(undefined, compareText, 64);

  get size(): number {
    return this.#tree.size;
  }

  get(key: string): Row | undefined {
    const packed = this.#tree.get(key);
    return packed === undefined ? undefined : unpackRow(packed);
  }

  /** The row in its packed form, for comparison or replication. */
  getPacked(key: string): PackedRow | undefined {
    return this.#tree.get(key);
  }

  /** Every row in its packed form, by key. */
  packedEntries(): Iterable<[string, PackedRow]> {
    return this.#tree.entries();
  }

  /** Stores the row; undefined removes it. */
  setPacked(key: string, row: PackedRow | undefined): void {
    if (row === undefined) this.#tree.delete(key);
    else this.#tree.set(key, row);
  }

  /** Visits keys from `low` up to but not including `high` (undefined: to the end), until `visit` returns false. */
  forRange(low: string, high: string | undefined, visit: (key: string, row: Row) => boolean): void {
    this.#tree.forRange(low, high ?? AFTER_ALL, false, (key, row) => (visit(key, unpackRow(row)) ? undefined : STOP));
  }

  /** As `forRange`, in descending order. */
  forRangeReversed(low: string, high: string | undefined, visit: (key: string, row: Row) => boolean): void {
    for (const [key, row] of this.#tree.entriesReversed(high ?? AFTER_ALL, [], true)) {
      if (key < low || !visit(key, unpackRow(row))) return;
    }
  }

  /** Removes keys from `low` up to but not including `high`. */
  deleteRange(low: string, high: string | undefined): void {
    this.#tree.deleteRange(low, high ?? AFTER_ALL, false);
  }

  /** Rewrites every row and removes rows that become empty. */
  replaceAll(change: (row: Row) => Row): void {
    const emptied: string[] = [];
    for (const [key, packed] of this.#tree.entries()) {
      const row = unpackRow(packed);
      const changed = change(row);
      if (changed.length === 0) emptied.push(key);
      else if (changed.length !== row.length) this.#tree.changeIfPresent(key, packRow(changed));
    }
    this.#tree.deleteKeys(emptied);
  }
}
