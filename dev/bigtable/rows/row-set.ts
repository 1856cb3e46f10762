// The rows of a ReadRows request as sorted disjoint ranges: keys from `low` up to but not including `high`.
import type { RowRange, RowSet } from '../wire/messages.ts';
import { invalidArgument } from '../wire/status.ts';
import { compareText, toText } from './row.ts';

export interface KeyRange {
  readonly low: string;
  /** Undefined: no upper bound. */
  readonly high: string | undefined;
}

/** A request without keys and ranges selects all rows. */
export function parseRowSet(rows: RowSet | null): KeyRange[] {
  const keys = (rows?.rowKeys ?? []).map((bytes): KeyRange => {
    if (bytes.length === 0) throw invalidArgument('Row keys must be non-empty');
    return onlyKey(toText(bytes));
  });
  const ranges = (rows?.rowRanges ?? []).map(parseRange);
  if (keys.length + ranges.length === 0) return [{ low: '', high: undefined }];
  return merge([...keys, ...ranges]);
}

/** No key lies between a key and itself plus a zero byte, so this range is the key alone. */
export const onlyKey = (key: string): KeyRange => ({ low: key, high: `${key}\0` });

export const isOnlyKey = ({ low, high }: KeyRange): boolean =>
  high !== undefined && high.length === low.length + 1 && high.endsWith('\0') && high.startsWith(low);

/** The range of all keys with the prefix. */
export function prefixRange(prefix: string): KeyRange {
  const stem = prefix.replace(/\u00ff+$/, '');
  if (stem === '') return { low: prefix, high: undefined };
  return { low: prefix, high: stem.slice(0, -1) + String.fromCharCode(stem.charCodeAt(stem.length - 1) + 1) };
}

function parseRange(range: RowRange): KeyRange {
  const { startKeyClosed, startKeyOpen, endKeyClosed, endKeyOpen } = range;
  const low = startKeyOpen === undefined ? toText(startKeyClosed ?? Buffer.alloc(0)) : `${toText(startKeyOpen)}\0`;
  // An empty end key means no upper bound, open or closed.
  const end = endKeyClosed ?? endKeyOpen;
  if (end === undefined || end.length === 0) return { low, high: undefined };
  const high = endKeyClosed === undefined ? toText(end) : `${toText(end)}\0`;
  const start = toText(startKeyOpen ?? startKeyClosed ?? Buffer.alloc(0));
  if (start > toText(end) || low >= high) {
    throw invalidArgument("Error in field 'row_ranges' : start_key must be less than end_key");
  }
  return { low, high };
}

function merge(ranges: KeyRange[]): KeyRange[] {
  ranges.sort((a, b) => compareText(a.low, b.low));
  const merged: KeyRange[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last === undefined || (last.high !== undefined && range.low >= last.high)) merged.push(range);
    else if (last.high !== undefined && (range.high === undefined || range.high > last.high)) {
      merged[merged.length - 1] = { low: last.low, high: range.high };
    }
  }
  return merged;
}
