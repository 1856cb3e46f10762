// Implementation of ReadRows: finds the requested rows, filters them and writes them in batches. It blocks the process
// for at most one batch and respects the reader's backpressure.
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { ClusterCounters } from '../counters.ts';
import { compileFilter } from '../filters/filters.ts';
import { appendRow } from '../rows/cell-chunks.ts';
import { readableCells } from '../rows/gc.ts';
import type { Row } from '../rows/row.ts';
import { isOnlyKey, parseRowSet } from '../rows/row-set.ts';
import { Scan } from '../rows/scan.ts';
import { rowsOf, type Table } from '../rows/table.ts';
import { drained } from '../wire/calls.ts';
import type { CellChunk, ReadRowsRequest, ReadRowsResponse } from '../wire/messages.ts';
import { invalidArgument, type StatusError } from '../wire/status.ts';

const MAX_BATCH_BYTES = 512 * 1024;
const MAX_ROWS_PER_STEP = 1000;

export async function readRows(
  table: Table,
  cluster: string,
  nowMs: number,
  counters: ClusterCounters,
  call: ServerWritableStream<ReadRowsRequest, ReadRowsResponse>,
  /** Error that ends the call inside a row. Undefined: the call succeeds. */
  cutError?: StatusError,
): Promise<void> {
  const { request } = call;
  if (request.rowsLimit < 0) throw invalidArgument("Error in field 'rows_limit' : must not be negative");
  let startedAtMs = performance.now();
  let ownMs = 0;
  const filter = compileFilter(request.filter, table);
  const ranges = parseRowSet(request.rows);
  if (request.reversed) ranges.reverse();
  const rows = rowsOf(table, cluster);
  let remaining = request.rowsLimit || Number.POSITIVE_INFINITY;
  let chunks: CellChunk[] = [];
  let bytes = 0;

  const emit = (key: string, row: Row): boolean => {
    const cells = filter(key, readableCells(row, table.families, nowMs * 1000));
    if (cells.length === 0) return false;
    bytes += appendRow(chunks, key, cells);
    counters.rowsRead++;
    remaining--;
    return true;
  };
  const flush = (): boolean => {
    if (chunks.length === 0) return true;
    const batch = { chunks };
    chunks = [];
    bytes = 0;
    return call.write(batch);
  };
  /** Lets other calls run. The wait does not count as the call's own time. */
  const pause = async (isWritable: boolean): Promise<void> => {
    ownMs += performance.now() - startedAtMs;
    await (isWritable ? nextTurn() : drained(call));
    startedAtMs = performance.now();
  };

  for (const range of ranges) {
    if (remaining <= 0 || call.cancelled) break;
    if (isOnlyKey(range)) {
      const row = rows.get(range.low);
      if (row === undefined || !emit(range.low, row)) counters.rowsMissed++;
      if (bytes >= MAX_BATCH_BYTES) await pause(flush());
      continue;
    }
    const scan = new Scan(rows, range, request.reversed);
    while (!scan.done && remaining > 0 && !call.cancelled) {
      scan.step(MAX_ROWS_PER_STEP, (key, row) => {
        emit(key, row);
        return remaining > 0 && bytes < MAX_BATCH_BYTES;
      });
      if (!scan.done) await pause(flush());
    }
  }
  if (cutError !== undefined) chunks = breakOff(chunks);
  flush();
  counters.keysAsked += request.rows?.rowKeys.length ?? 0;
  counters.recordReadRowsTime((ownMs + performance.now() - startedAtMs) * 1e6);
  if (cutError !== undefined) throw cutError;
}

/** The first half of the chunks; the last one ends inside a row. */
function breakOff(chunks: readonly CellChunk[]): CellChunk[] {
  const kept = chunks.slice(0, Math.floor(chunks.length / 2) + 1);
  return kept.map((chunk, i) => (i === kept.length - 1 ? { ...chunk, commitRow: false } : chunk));
}
