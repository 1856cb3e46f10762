// Open-loop load, which does not wait for the server, from its own process (bench/load/open-load-generator.ts).
import { runGenerator } from './run-generator.ts';

export interface Phase {
  readonly perSecond: number;
  readonly durationMs: number;
  /** Requests due before this time are not counted. Default: 0 */
  readonly fromMs?: number;
}

export interface OpenLoadOrder {
  readonly port: number;
  /** Complete HTTP/1.1 requests, sent in turn. */
  readonly requests: readonly string[];
  /** A request that is due while all connections are in use counts as failed. */
  readonly maxConnections: number;
  readonly phases: readonly Phase[];
}

export interface PhaseReport {
  readonly ok: number;
  /** Answers with 503 or with shed keys. */
  readonly shed: number;
  readonly failed: number;
  readonly okPerSecond: number;
  /** Latency of complete answers, from the due time. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Maximum number of requests in flight. */
  readonly mostOpen: number;
}

/** One report per phase. Rejects if the generator fails. */
export const runOpenLoad = async (order: OpenLoadOrder): Promise<PhaseReport[]> =>
  (await runGenerator('open-load-generator.ts', order)) as PhaseReport[];
