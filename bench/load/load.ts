// Closed-loop load from its own process (bench/load/load-generator.ts).
import { runGenerator } from './run-generator.ts';

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  /** Complete HTTP/1.1 requests, sent in turn. */
  readonly requests: readonly string[];
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** Number of latencies kept: those of the last requests. */
  readonly maxSamples: number;
}

export interface LoadReport {
  readonly requests: number;
  /** Number of these answers with a status other than 200. */
  readonly failed: number;
  readonly bytes: number;
  readonly durationMs: number;
  /** CPU of the generator itself. */
  readonly cpuMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The body of the first answer, one character per byte, and the index of its request. */
  readonly firstBody: string;
  readonly firstIndex: number;
  /** Status and body of the first failure; empty without one. */
  readonly firstFailure: string;
}

export const makeHttpRequest = (path: string, headers: Readonly<Record<string, string>>, body?: string): string => {
  const all = {
    host: '127.0.0.1',
    ...headers,
    ...(body === undefined ? {} : { 'content-length': String(body.length) }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
};

/** Rejects if the generator fails or an answer is not 200. */
export async function runLoad(order: LoadOrder): Promise<LoadReport> {
  const report = (await runGenerator('load-generator.ts', order)) as LoadReport;
  if (report.failed > 0)
    throw new Error(
      `expected all ${report.requests} answers to be 200, got ${report.failed} others, the first of them ${report.firstFailure}`,
    );
  return report;
}
