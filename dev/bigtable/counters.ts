// Counters of one cluster since the server started or the counters were reset. Tests assert the number of rows read.
// Benchmarks separate the server's own time from that of gRPC.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

export interface CountersSnapshot {
  /** Calls that reached the cluster, by method, answered or not. */
  calls: Record<string, number>;
  /** Calls that ended in an error, by method. */
  failedCalls: Record<string, number>;
  /** Row keys named in ReadRows requests. Ranges name none. */
  keysAsked: number;
  /** Rows sent to readers. */
  rowsRead: number;
  /** Row keys named in requests without a row, or without a cell that passed the filter. */
  rowsMissed: number;
  /** Rows written by clients. Replicated rows are not counted. */
  rowsWritten: number;
  /**
   * Time from the arrival of a ReadRows call until the end of its answer is written. Excludes injected latency and
   * waits for the reader.
   */
  readRowsOwnTime: { count: number; meanMicros: number; p50Micros: number; p99Micros: number };
}

export class ClusterCounters {
  readonly #calls = new Map<string, number>();
  readonly #failedCalls = new Map<string, number>();
  readonly #readRowsNanos: RecordableHistogram = createHistogram();
  keysAsked = 0;
  rowsRead = 0;
  rowsMissed = 0;
  rowsWritten = 0;

  recordCall(method: string): void {
    this.#calls.set(method, (this.#calls.get(method) ?? 0) + 1);
  }

  recordFailure(method: string): void {
    this.#failedCalls.set(method, (this.#failedCalls.get(method) ?? 0) + 1);
  }

  recordReadRowsTime(nanos: number): void {
    this.#readRowsNanos.record(Math.max(1, Math.round(nanos)));
  }

  snapshot(): CountersSnapshot {
    const nanos = this.#readRowsNanos;
    return {
      calls: Object.fromEntries(this.#calls),
      failedCalls: Object.fromEntries(this.#failedCalls),
      keysAsked: this.keysAsked,
      rowsRead: this.rowsRead,
      rowsMissed: this.rowsMissed,
      rowsWritten: this.rowsWritten,
      readRowsOwnTime: {
        count: nanos.count,
        meanMicros: nanos.count === 0 ? 0 : nanos.mean / 1e3,
        p50Micros: nanos.count === 0 ? 0 : nanos.percentile(50) / 1e3,
        p99Micros: nanos.count === 0 ? 0 : nanos.percentile(99) / 1e3,
      },
    };
  }

  reset(): void {
    this.#calls.clear();
    this.#failedCalls.clear();
    this.#readRowsNanos.reset();
    this.keysAsked = this.rowsRead = this.rowsMissed = this.rowsWritten = 0;
  }
}
