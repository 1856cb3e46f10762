// Load that does not wait for the server, from a process of its own (bench/load/open-load-generator.ts).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Phase {
  readonly perSecond: number;
  readonly durationMs: number;
  /** What was due before is not counted. Default: 0 */
  readonly fromMs?: number;
}

export interface OpenLoadOrder {
  readonly port: number;
  /** Whole HTTP/1.1 requests, sent in turn. */
  readonly requests: readonly string[];
  /** What is due when all are taken has failed. */
  readonly maxConnections: number;
  readonly phases: readonly Phase[];
}

export interface PhaseReport {
  readonly ok: number;
  /** Answered with 503, or with keys that were refused. */
  readonly shed: number;
  readonly failed: number;
  readonly okPerSecond: number;
  /** Of those that were answered in full, from when they were due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** The most requests that were under way at once. */
  readonly mostOpen: number;
}

/** One report a phase. Rejects when the generator fails. */
export async function runOpenLoad(order: OpenLoadOrder): Promise<PhaseReport[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'open-load-generator.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  child.stdin.end(JSON.stringify(order));
  const text = (await child.stdout.toArray()).join('');
  const [code] = (await exited) as [number | null];
  if (code !== 0) throw new Error(`expected the load generator to end well, got exit code ${code}`);
  return JSON.parse(text) as PhaseReport[];
}
