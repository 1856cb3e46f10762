// Merges reads of single rows into few calls (call-size.ts). Reads of one turn of the event loop leave together at its
// end; later ones leave when a call returns, or when they are worth a call. A slow call gives up its place.
import type { EarshotError } from '../../../shared/wire/errors.ts';
import type { RequestTrace } from '../../tracing/request-trace.ts';
import type { Row } from '../chunk-merger.ts';
import type { RowFilter } from '../read-rows.ts';
import { type CallLimits, callSizeOf, mayStartCall } from './call-size.ts';
import { KeyRead, type KeyReadDeps } from './key-read.ts';

/** One call can read rows of the same batch key: of one table, under one filter. */
export interface BatchKey {
  /** Identifies table and filter. */
  readonly name: string;
  /** `projects/P/instances/I/tables/T`. */
  readonly tableName: string;
  readonly filter: RowFilter;
}

export interface Waiter {
  /** On the monotonic clock. */
  readonly deadlineAtMs: number;
  /** Trace of the request that waits. */
  readonly trace: RequestTrace | undefined;
  /** Once, unless the waiter is removed. Undefined: no such row, or no cell of it passed the filter. */
  settle(row: Row | undefined): void;
  /** Instead of `settle`. */
  fail(error: EarshotError): void;
}

export interface ReadQueueOptions extends KeyReadDeps, CallLimits {
  /** Runs its argument at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void;
}

/** The rows of one batch key. */
interface Batch {
  readonly key: BatchKey;
  readonly waiting: Map<string, RowRead>;
  calls: number;
}

/** One row, read for its waiters. */
export interface RowRead {
  readonly rowKey: string;
  /** One in most cases. */
  waiters: Waiter[];
  readonly batch: Batch;
  /** Undefined while the row waits for a call. */
  call: Call | undefined;
}

interface Call {
  /** Rows that are not known yet. */
  readonly rows: Map<string, RowRead>;
  read: KeyRead | undefined;
  hasPlace: boolean;
}

export class ReadQueue {
  readonly #options: ReadQueueOptions;
  readonly #batches = new Map<string, Batch>();
  readonly #calls = new Set<Call>();
  #waiting = 0;
  #isDeferred = false;

  constructor(options: ReadQueueOptions) {
    this.#options = options;
  }

  read(batchKey: BatchKey, rowKey: string, waiter: Waiter): RowRead {
    let batch = this.#batches.get(batchKey.name);
    if (batch === undefined) {
      batch = { key: batchKey, waiting: new Map(), calls: 0 };
      this.#batches.set(batchKey.name, batch);
    }
    let row = batch.waiting.get(rowKey);
    if (row === undefined) {
      row = { rowKey, waiters: [], batch, call: undefined };
      batch.waiting.set(rowKey, row);
      this.#waiting++;
    }
    row.waiters.push(waiter);
    this.#startCallsLater();
    return row;
  }

  /** Without waiters the row is not read any more. */
  removeWaiter(row: RowRead, waiter: Waiter): void {
    const at = row.waiters.indexOf(waiter);
    if (at === -1) return;
    row.waiters.splice(at, 1);
    if (row.waiters.length > 0) return;
    const { rowKey, batch, call } = row;
    if (call === undefined) {
      batch.waiting.delete(rowKey);
      this.#waiting--;
    } else if (call.rows.delete(rowKey) && call.rows.size === 0) call.read?.cancel();
  }

  /** Number of rows waiting for a call. */
  waiting(): number {
    return this.#waiting;
  }

  /** Fails all waiters, and cancels the calls. */
  close(error: EarshotError): void {
    const rows = [...this.#batches.values()].flatMap(({ waiting }) => [...waiting.values()]);
    for (const { waiting } of this.#batches.values()) waiting.clear();
    this.#waiting = 0;
    for (const call of this.#calls) {
      rows.push(...call.rows.values());
      call.rows.clear();
      call.read?.cancel();
    }
    for (const { waiters } of rows) {
      for (const waiter of waiters.splice(0)) waiter.fail(error);
    }
  }

  #startCallsLater(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#options.defer(() => {
      this.#isDeferred = false;
      for (const batch of this.#batches.values()) {
        while (mayStartCall(batch, this.#options)) this.#startCall(batch);
        if (batch.waiting.size === 0 && batch.calls === 0) this.#batches.delete(batch.key.name);
      }
    });
  }

  #startCall(batch: Batch): void {
    const call: Call = { rows: new Map(), read: undefined, hasPlace: true };
    const deadlineAtMs = moveRows(batch, call, callSizeOf(batch, this.#options));
    this.#waiting -= call.rows.size;
    batch.calls++;
    this.#calls.add(call);
    const { tableName, filter } = batch.key;
    const traces = tracesOf(call);
    const query = { tableName, filter, keys: [...call.rows.keys()].sort(), deadlineAtMs, traces };
    call.read = new KeyRead(this.#options, query, {
      onKey: (rowKey, row) => {
        for (const waiter of removeRow(call, rowKey)) waiter.settle(row);
      },
      onFailed: (rowKeys, error) => {
        for (const rowKey of rowKeys) for (const waiter of removeRow(call, rowKey)) waiter.fail(error);
      },
      onSlow: () => this.#giveUpPlace(batch, call),
      onOver: () => {
        this.#calls.delete(call);
        // The Set references its members for longer (docs/decisions/0019).
        call.read = undefined;
        this.#giveUpPlace(batch, call);
      },
    });
  }

  #giveUpPlace(batch: Batch, call: Call): void {
    if (!call.hasPlace) return;
    call.hasPlace = false;
    batch.calls--;
    this.#startCallsLater();
  }
}

/** Moves rows from the batch to the call, and returns the latest deadline: earlier waiters are removed at theirs. */
function moveRows({ waiting }: Batch, call: Call, size: number): number {
  let deadlineAtMs = 0;
  for (const [rowKey, row] of waiting) {
    if (call.rows.size === size) break;
    waiting.delete(rowKey);
    call.rows.set(rowKey, row);
    row.call = call;
    for (const waiter of row.waiters) deadlineAtMs = Math.max(deadlineAtMs, waiter.deadlineAtMs);
  }
  return deadlineAtMs;
}

/** Each trace once. */
function tracesOf({ rows }: Call): readonly RequestTrace[] {
  let traces: Set<RequestTrace> | undefined;
  for (const { waiters } of rows.values()) {
    for (const { trace } of waiters) if (trace !== undefined) traces = (traces ?? new Set()).add(trace);
  }
  return traces === undefined ? [] : [...traces];
}

/** Removes a known row from the call, and returns its waiters. */
function removeRow({ rows }: Call, rowKey: string): readonly Waiter[] {
  const row = rows.get(rowKey);
  rows.delete(rowKey);
  if (row === undefined) return [];
  const { waiters } = row;
  row.waiters = [];
  row.call = undefined;
  return waiters;
}
