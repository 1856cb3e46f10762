// Reads of single rows, merged into few calls. A read that comes when nothing is out leaves at the end of the same turn of the event loop, with
// all that came in that turn, in as many calls as it is worth and as there are places for; while as many calls of its lane are out as may be,
// what comes waits for one to return and leaves together, or until it is worth a call of its own. That is what Nagle's algorithm does with small
// segments (RFC 896): a table that is slow gets fewer and larger calls, but is never left without work while there is some, and nobody waits
// for a timer. A call that takes unusually long gives up its place, so that it does not hold up the lane.
import type { EarshotError } from '../../../shared/wire/errors.ts';
import type { Row } from '../chunk-merger.ts';
import type { RowFilter } from '../read-rows.ts';
import { type KeyRead, type KeyReadDeps, startKeyRead } from './key-read.ts';

/** What one call can read together: rows of one table under one filter. */
export interface Lane {
  /** Names table and filter. */
  readonly name: string;
  /** `projects/P/instances/I/tables/T`. */
  readonly tableName: string;
  readonly filter: RowFilter;
}

export interface Waiter {
  /** On the monotonic clock. */
  readonly deadlineAtMs: number;
  /** Called once, unless the waiter leaves. Undefined: there is no such row, or nothing in it passed the filter. */
  settle(row: Row | undefined): void;
  /** Instead of `settle`. */
  fail(error: EarshotError): void;
}

export interface ReadQueue {
  /** Reads the row for the waiter. */
  read(lane: Lane, rowKey: string, waiter: Waiter): RowRead;
  /** Takes the waiter away, and with the last one the work that is done for it. */
  leave(read: RowRead, waiter: Waiter): void;
  /** Rows that wait for a call. */
  waiting(): number;
  /** Fails whatever is waited for, and ends the calls. */
  close(error: EarshotError): void;
}

export interface ReadQueueOptions extends KeyReadDeps {
  /** More keys in one call grow worse than linearly. */
  readonly maxKeysPerCall: number;
  /** Calls of one lane that may be out at once, those aside that are large or take unusually long. */
  readonly callsPerLane: number;
  /** Runs what it is given at the end of this turn of the event loop. */
  readonly defer: (run: () => void) => void;
}

/** So many that wait are not held back for larger calls: of 64 single reads at once no fewer are done a second then (`npm run bench -- origin`). */
const KEYS_WORTH_A_CALL = 16;
/** Even of such: beyond, calls grow, up to `maxKeysPerCall`. */
const MAX_CALLS_PER_LANE = 8;

interface LaneState {
  readonly lane: Lane;
  readonly waiting: Map<string, RowRead>;
  calls: number;
}

/** One row that somebody waits for. */
export interface RowRead {
  readonly rowKey: string;
  /** Those that are waiting still; mostly one. */
  waiters: Waiter[];
  readonly lane: LaneState;
  /** The call that it left with. */
  call: Call | undefined;
}

interface Call {
  /** Those whose row is not known yet. */
  readonly rows: Map<string, RowRead>;
  read: KeyRead | undefined;
}

export function createReadQueue(options: ReadQueueOptions): ReadQueue {
  const { maxKeysPerCall, callsPerLane, defer } = options;
  const lanes = new Map<string, LaneState>();
  const calls = new Set<Call>();
  let waiting = 0;
  let isDeferred = false;

  function leaveLater(): void {
    if (isDeferred) return;
    isDeferred = true;
    defer(() => {
      isDeferred = false;
      for (const state of lanes.values()) {
        while (mayLeave(state)) leave(state);
        if (state.waiting.size === 0 && state.calls === 0) lanes.delete(state.lane.name);
      }
    });
  }

  function mayLeave({ waiting, calls }: LaneState): boolean {
    if (calls < callsPerLane) return waiting.size > 0;
    return waiting.size >= KEYS_WORTH_A_CALL && calls < MAX_CALLS_PER_LANE;
  }

  /** One call of all that waits would leave the table idle while its rows are taken in, and all who come meanwhile would wait together again. */
  function sizeOf({ waiting, calls }: LaneState): number {
    const parts = Math.min(callsPerLane - calls, Math.floor(waiting.size / KEYS_WORTH_A_CALL));
    return Math.min(maxKeysPerCall, Math.ceil(waiting.size / Math.max(parts, 1)));
  }

  function leave(state: LaneState): void {
    const call: Call = { rows: new Map(), read: undefined };
    const size = sizeOf(state);
    let deadlineAtMs = 0;
    for (const [rowKey, row] of state.waiting) {
      if (call.rows.size === size) break;
      state.waiting.delete(rowKey);
      call.rows.set(rowKey, row);
      row.call = call;
      // The one with the most time left decides how long the call may take; the others leave it when theirs is up.
      for (const waiter of row.waiters) deadlineAtMs = Math.max(deadlineAtMs, waiter.deadlineAtMs);
    }
    waiting -= call.rows.size;
    start(state, call, deadlineAtMs);
  }

  function start(state: LaneState, call: Call, deadlineAtMs: number): void {
    let hasPlace = true;
    state.calls++;
    calls.add(call);
    const giveUpPlace = (): void => {
      if (!hasPlace) return;
      hasPlace = false;
      state.calls--;
      leaveLater();
    };
    const { tableName, filter } = state.lane;
    const ask = { tableName, filter, keys: [...call.rows.keys()].sort(), deadlineAtMs };
    call.read = startKeyRead(options, ask, {
      onKey: (rowKey, row) => {
        for (const waiter of take(call, rowKey)) waiter.settle(row);
      },
      onFailed: (rowKeys, error) => {
        for (const rowKey of rowKeys) for (const waiter of take(call, rowKey)) waiter.fail(error);
      },
      onSlow: giveUpPlace,
      onOver: () => {
        calls.delete(call);
        // As its rows let go of it: the Set keeps its members for longer (docs/decisions/0019).
        call.read = undefined;
        giveUpPlace();
      },
    });
  }

  function abandon({ rowKey, lane, call }: RowRead): void {
    if (call === undefined) {
      lane.waiting.delete(rowKey);
      waiting--;
    } else if (call.rows.delete(rowKey) && call.rows.size === 0) call.read?.cancel();
  }

  return {
    read: (lane, rowKey, waiter) => {
      const state = lanes.get(lane.name) ?? { lane, waiting: new Map(), calls: 0 };
      lanes.set(lane.name, state);
      let row = state.waiting.get(rowKey);
      if (row === undefined) {
        row = { rowKey, waiters: [], lane: state, call: undefined };
        state.waiting.set(rowKey, row);
        waiting++;
      }
      row.waiters.push(waiter);
      leaveLater();
      return row;
    },
    leave: (row, waiter) => {
      const at = row.waiters.indexOf(waiter);
      if (at === -1) return;
      row.waiters.splice(at, 1);
      if (row.waiters.length === 0) abandon(row);
    },
    waiting: () => waiting,
    close: (error) => {
      const rows = [...lanes.values()].flatMap((state) => [...state.waiting.values()]);
      for (const state of lanes.values()) state.waiting.clear();
      waiting = 0;
      for (const call of calls) {
        rows.push(...call.rows.values());
        call.rows.clear();
        call.read?.cancel();
      }
      for (const { waiters } of rows) {
        for (const waiter of waiters.splice(0)) waiter.fail(error);
      }
    },
  };
}

/** Those who wait for the row; it is known now. */
function take({ rows }: Call, rowKey: string): readonly Waiter[] {
  const row = rows.get(rowKey);
  rows.delete(rowKey);
  if (row === undefined) return [];
  const { waiters } = row;
  row.waiters = [];
  row.call = undefined;
  return waiters;
}
