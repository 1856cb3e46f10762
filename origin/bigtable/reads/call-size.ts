// When waiting rows leave, and in how large a call. Pure. It does with reads what Nagle's algorithm does with small
// segments (RFC 896): a slow table gets fewer and larger calls, is never idle while rows wait, and no row waits for a
// timer.

export interface Backlog {
  readonly waiting: { readonly size: number };
  /** Calls in flight that hold a place. */
  readonly calls: number;
}

export interface CallLimits {
  /** Latency grows faster than the number of keys in a call. */
  readonly maxKeysPerCall: number;
  /** Calls of one batch key in flight, without large and slow ones. */
  readonly callsPerBatchKey: number;
}

/** This many rows do not wait for a call to return. */
const KEYS_WORTH_A_CALL = 16;
/** With this many calls in flight they do, and calls grow up to `maxKeysPerCall`. */
const MAX_CALLS_PER_BATCH_KEY = 8;

export function mayStartCall({ waiting, calls }: Backlog, { callsPerBatchKey }: CallLimits): boolean {
  if (calls < callsPerBatchKey) return waiting.size > 0;
  return waiting.size >= KEYS_WORTH_A_CALL && calls < MAX_CALLS_PER_BATCH_KEY;
}

/** Many rows are split over the free places: a single call would leave the table idle while its rows are received. */
export function callSizeOf({ waiting, calls }: Backlog, { maxKeysPerCall, callsPerBatchKey }: CallLimits): number {
  const parts = Math.min(callsPerBatchKey - calls, Math.floor(waiting.size / KEYS_WORTH_A_CALL));
  return Math.min(maxKeysPerCall, Math.ceil(waiting.size / Math.max(parts, 1)));
}
