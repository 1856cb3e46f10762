// Writes many cells in batches of MutateRows, with a few batches in flight. Each failed entry is retried on its own.
// Every cell carries its timestamp, so a repeated write changes nothing and retries are safe.
import type { protos } from '@google-cloud/bigtable';
import { isRetryable, makeGrpcError, toTableError, UNAVAILABLE } from '../../origin/bigtable/bigtable-error.ts';
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { NO_RETRY } from '../../origin/bigtable/read-rows.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';

export interface CellWrite {
  readonly rowKey: string;
  /** Undefined: the cell of the writer's timestamp is deleted. */
  readonly value: string | undefined;
}

export interface BulkWriter {
  /** Accepts a cell. Waits while `maxInFlight` batches are in flight. Rejects with the error of any failed batch. */
  write(cell: CellWrite): Promise<void> | undefined;
  /** Sends the last batch. Resolves when all cells are written. */
  flush(): Promise<void>;
  /** Whether a cell is stored, or may be: false only if no batch was sent, or Bigtable refused all of them. */
  mayHaveWritten(): boolean;
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
  /** Default: 1000 */
  readonly maxBatchEntries?: number;
  /** Default: 4 MiB */
  readonly maxBatchBytes?: number;
  /** Default: 4 */
  readonly maxInFlight?: number;
}

type Entry = protos.google.bigtable.v2.MutateRowsRequest.IEntry;

const BATCH_TIMEOUT_MS = 60_000;
const MAX_ATTEMPTS = 8;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;

export function createBulkWriter(bigtable: BigtableConnection, options: BulkWriterOptions): BulkWriter {
  const { table, family, appProfile, clock, random } = options;
  const columnQualifier = Buffer.from(options.qualifier);
  const timestampMicros = options.timestampMs * 1000;
  const timeRange = { startTimestampMicros: timestampMicros, endTimestampMicros: timestampMicros + 1000 };
  const { maxBatchEntries = 1000, maxBatchBytes = 4 * 1024 * 1024, maxInFlight = 4 } = options;
  const tableName = bigtable.tableName(table);
  const inFlight = new Set<Promise<void>>();
  let batch: Entry[] = [];
  let batchBytes = 0;
  let failure: unknown;
  let mayHaveWritten = false;
  let first: Promise<void> | undefined;

  function send(): void {
    if (batch.length === 0) return;
    const sent = writeBatch(batch)
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
    if (failure !== undefined) throw failure;
  }

  async function writeBatch(entries: Entry[]): Promise<void> {
    first ??= (options.beforeFirst ?? (async () => undefined))();
    await first;
    let left = entries;
    for (let attempt = 1; ; attempt++) {
      const outcome = await mutateRows(left);
      if (outcome.left.length === 0) return;
      left = outcome.left;
      if (!isRetryable(outcome.error) || attempt === MAX_ATTEMPTS) {
        throw toTableError(outcome.error, `writing ${left.length} rows to ${table} (attempt ${attempt})`);
      }
      await pause(clock, backoffMs(attempt, random));
    }
  }

  /** The entries that are not written yet, with the error. */
  async function mutateRows(entries: Entry[]): Promise<{ left: Entry[]; error: unknown }> {
    const missing = new Set(entries);
    let error: unknown = makeGrpcError(UNAVAILABLE, 'the answer named fewer rows than were sent');
    let refused: unknown;
    try {
      const stream = (await bigtable.data()).mutateRows(
        { tableName, appProfileId: appProfile, entries },
        { timeout: BATCH_TIMEOUT_MS, retryRequestOptions: NO_RETRY },
      ) as AsyncIterable<protos.google.bigtable.v2.IMutateRowsResponse>;
      for await (const response of stream) {
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
      if (batch.length < maxBatchEntries && batchBytes < maxBatchBytes) return undefined;
      send();
      return waitForRoom();
    },
    flush: async () => {
      send();
      await Promise.all(inFlight);
      if (failure !== undefined) throw failure;
    },
    mayHaveWritten: () => mayHaveWritten,
  };
}

/** Exponential, with full jitter. Source: M. Brooker, "Exponential Backoff And Jitter", 2015. */
const backoffMs = (attempt: number, random: () => number): number =>
  random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
