// Writes many cells in batches of MutateRows, with a few batches in flight. Each failed entry is retried on its own.
// Every cell carries its timestamp, so a repeated write changes nothing and retries are safe.
import type { protos } from '@google-cloud/bigtable';
import {
  grpcCodeOf,
  isRetryable,
  makeGrpcError,
  toTableError,
  UNAVAILABLE,
} from '../../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { NO_RETRY } from '../../../origin/bigtable/read-rows.ts';
import { type Clock, pause } from '../../../shared/runtime/clock.ts';
import type { WriteThrottle } from './write-throttle.ts';

export interface CellWrite {
  readonly rowKey: string;
  /** Undefined: the cell of the writer's timestamp is deleted. */
  readonly value: string | undefined;
}

export interface BulkWriter {
  /**
   * Accepts a cell. Waits while `maxInFlight` batches are in flight. Rejects with the error of a failed batch, once no
   * call is in flight.
   */
  write(cell: CellWrite): Promise<void> | undefined;
  /** Sends the last batch. Resolves when all cells are written. */
  flush(): Promise<void>;
  /** Number of cells that were given to it. */
  accepted(): number;
  /** Number of accepted cells, from the first, that are all stored. */
  stored(): number;
  /**
   * Sends nothing more: batches that wait for their next call are dropped. Resolves, once no call is in flight, with
   * whether a cell is stored, or may be: false only if no batch was sent, or Bigtable refused all of them.
   */
  stop(): Promise<boolean>;
}

export interface BulkWriterOptions {
  readonly table: string;
  readonly family: string;
  readonly qualifier: string;
  /** Timestamp of every cell in ms since the epoch. */
  readonly timestampMs: number;
  readonly appProfile: string;
  readonly clock: Clock;
  /** A number in [0, 1) for the jitter of retries. */
  readonly random: () => number;
  /** Runs once before the first call. If it rejects, nothing is sent and every batch fails with its error. */
  readonly beforeFirst?: () => Promise<void>;
  /** Called before each call. If it throws, the batch fails with its error. Default: calls are always allowed. */
  readonly requireAllowed?: () => void;
  /** Default: none, batches are sent as fast as they are answered. */
  readonly throttle?: WriteThrottle;
  /** Default: 250. A server decodes a batch at once, and reads wait for it. */
  readonly maxBatchEntries?: number;
  /** Default: 4 MiB */
  readonly maxBatchBytes?: number;
  /** Default: 4 */
  readonly maxInFlight?: number;
}

type Entry = protos.google.bigtable.v2.MutateRowsRequest.IEntry;

/**
 * `google.bigtable.v2.FeatureFlags` with `mutate_rows_rate_limit` and its second version: the server may answer with
 * the factor of its flow control.
 */
const FLOW_CONTROL = { 'bigtable-features': Buffer.from([0x18, 0x01, 0x28, 0x01]).toString('base64url') };
const RESOURCE_EXHAUSTED = 8;

const BATCH_TIMEOUT_MS = 60_000;
/** Calls of a batch that fail otherwise than for want of capacity. */
const MAX_ATTEMPTS = 8;
/** A cluster that wants capacity gets more of it after minutes, by autoscaling. */
const MAX_REFUSED_MS = 600_000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;

export function createBulkWriter(bigtable: BigtableConnection, options: BulkWriterOptions): BulkWriter {
  const { table, family, appProfile, clock, random } = options;
  const columnQualifier = Buffer.from(options.qualifier);
  const timestampMicros = options.timestampMs * 1000;
  const timeRange = { startTimestampMicros: timestampMicros, endTimestampMicros: timestampMicros + 1000 };
  const { maxBatchEntries = 250, maxBatchBytes = 4 * 1024 * 1024, maxInFlight = 4 } = options;
  const tableName = bigtable.tableName(table);
  const inFlight = new Set<Promise<void>>();
  let batch: Entry[] = [];
  let batchBytes = 0;
  let failure: unknown;
  let mayHaveWritten = false;
  let isStopped = false;
  const calls = new Set<Promise<unknown>>();
  let first: Promise<void> | undefined;
  let accepted = 0;
  const prefix = createPrefix();

  function send(): void {
    if (batch.length === 0) return;
    const markStored = prefix.add(batch.length);
    const sent = writeBatch(batch)
      .then(markStored)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
    batch = [];
    batchBytes = 0;
  }

  async function waitForRoom(): Promise<void> {
    while (inFlight.size >= maxInFlight) await Promise.race(inFlight);
    if (failure === undefined) return;
    await stop();
    throw failure;
  }

  async function stop(): Promise<boolean> {
    isStopped = true;
    await Promise.all(calls);
    return mayHaveWritten;
  }

  async function writeBatch(entries: Entry[]): Promise<void> {
    first ??= (options.beforeFirst ?? (async () => undefined))();
    await first;
    let left = entries;
    let failures = 0;
    const untilMs = clock.monotonicNow() + MAX_REFUSED_MS;
    for (let attempt = 1; ; attempt++) {
      await options.throttle?.admit(left.length);
      if (isStopped) throw new Error('expected a call before the end of the writer');
      options.requireAllowed?.();
      const outcome = await track(mutateRows(left));
      if (outcome.left.length === 0) return;
      left = outcome.left;
      const isRefused = grpcCodeOf(outcome.error) === RESOURCE_EXHAUSTED;
      const isLast = isRefused ? clock.monotonicNow() >= untilMs : ++failures === MAX_ATTEMPTS;
      if (isLast || !isRetryable(outcome.error))
        throw toTableError(outcome.error, `writing ${left.length} rows to ${table} (attempt ${attempt})`);
      await pause(clock, backoffMs(attempt, random));
    }
  }

  /** `mutateRows` does not reject. */
  function track<T>(call: Promise<T>): Promise<T> {
    calls.add(call);
    return call.finally(() => calls.delete(call));
  }

  /** The entries that are not written yet, with the error. */
  async function mutateRows(entries: Entry[]): Promise<{ left: Entry[]; error: unknown }> {
    const missing = new Set(entries);
    const startedAtMs = clock.now();
    let factor: number | undefined;
    let error: unknown = makeGrpcError(UNAVAILABLE, 'the answer named fewer rows than were sent');
    let refused: unknown;
    try {
      const stream = (await bigtable.data()).mutateRows(
        { tableName, appProfileId: appProfile, entries },
        { timeout: BATCH_TIMEOUT_MS, retryRequestOptions: NO_RETRY, otherArgs: { headers: FLOW_CONTROL } },
      ) as AsyncIterable<protos.google.bigtable.v2.IMutateRowsResponse>;
      for await (const response of stream) {
        factor = response.rateLimitInfo?.factor ?? factor;
        for (const { index, status } of response.entries ?? []) {
          const entry = entries[Number(index ?? 0)];
          if (!status?.code) {
            mayHaveWritten = true;
            if (entry !== undefined) missing.delete(entry);
          } else {
            error = makeGrpcError(status.code, status.message ?? 'no message');
            if (isRetryable(error)) mayHaveWritten = true;
            else refused ??= error;
          }
        }
      }
    } catch (thrown) {
      error = thrown;
      // The answer was lost, and the cells may be stored.
      if (isRetryable(thrown)) mayHaveWritten = true;
    }
    const isRefused = [error, refused].some((each) => grpcCodeOf(each) === RESOURCE_EXHAUSTED);
    options.throttle?.report({ rows: entries.length, tookMs: clock.now() - startedAtMs, isRefused, factor });
    return { left: [...missing], error: refused ?? error };
  }

  return {
    write: ({ rowKey, value }) => {
      const bytes = value === undefined ? undefined : Buffer.from(value);
      const mutation =
        bytes === undefined
          ? { deleteFromColumn: { familyName: family, columnQualifier, timeRange } }
          : { setCell: { familyName: family, columnQualifier, timestampMicros, value: bytes } };
      batch.push({ rowKey: Buffer.from(rowKey), mutations: [mutation] });
      batchBytes += bytes?.length ?? 0;
      accepted++;
      if (batch.length < maxBatchEntries && batchBytes < maxBatchBytes) return undefined;
      send();
      return waitForRoom();
    },
    flush: async () => {
      send();
      await Promise.all(inFlight);
      if (failure !== undefined) throw failure;
    },
    accepted: () => accepted,
    stored: prefix.length,
    stop,
  };
}

/** The length of the part of a sequence that is done without a gap. */
function createPrefix() {
  const waiting: { readonly length: number; isDone: boolean }[] = [];
  let length = 0;
  return {
    /** Adds a part behind all others. The result marks it as done. */
    add: (count: number): (() => void) => {
      const part = { length: count, isDone: false };
      waiting.push(part);
      return () => {
        part.isDone = true;
        while (waiting[0]?.isDone === true) length += waiting.shift()?.length ?? 0;
      };
    },
    length: (): number => length,
  };
}

/** Exponential, with full jitter. Source: M. Brooker, "Exponential Backoff And Jitter", 2015. */
const backoffMs = (attempt: number, random: () => number): number =>
  random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
