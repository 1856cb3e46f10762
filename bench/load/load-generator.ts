// `node bench/load/load-generator.ts`: closed-loop load over kept-alive connections. Reads its order as JSON from
// standard input (LoadOrder), prints one line of JSON (LoadReport) and ends.
import type { LoadOrder, LoadReport } from './load.ts';
import { openRawConnection } from './raw-connection.ts';

const order = JSON.parse((await process.stdin.toArray()).join('')) as LoadOrder;
const requests = order.requests.map((text) => Buffer.from(text, 'latin1'));
const latencies = new Float64Array(order.maxSamples);
const measureFromMs = performance.now() + order.warmUpMs;
const untilMs = measureFromMs + order.durationMs;
const counts = { requests: 0, failed: 0, bytes: 0 };
let first: { body: string; index: number } | undefined;
let firstFailure = '';
let next = 0;
let cpuBefore = process.cpuUsage();
let isMeasuring = false;

function runConnection(): Promise<void> {
  const connection = openRawConnection(order.port, (count) => {
    if (isMeasuring) counts.bytes += count;
  });
  return new Promise((resolve, reject) => {
    function send(): void {
      const sentAtMs = performance.now();
      if (!isMeasuring && sentAtMs >= measureFromMs) {
        isMeasuring = true;
        cpuBefore = process.cpuUsage();
      }
      if (sentAtMs >= untilMs) {
        connection.close();
        resolve();
        return;
      }
      const index = next++ % requests.length;
      connection.send(requests[index] as Buffer, (answer) => {
        if (answer instanceof Error) {
          reject(answer);
          return;
        }
        first ??= { body: answer.body.toString('latin1'), index };
        if (isMeasuring) {
          latencies[counts.requests++ % latencies.length] = performance.now() - sentAtMs;
          if (answer.status !== 200 && counts.failed++ === 0)
            firstFailure = `${answer.status} ${answer.body.toString('latin1')}`;
        }
        send();
      });
    }
    send();
  });
}

await Promise.all(Array.from({ length: order.connections }, runConnection));
const durationMs = performance.now() - measureFromMs;
const { user, system } = process.cpuUsage(cpuBefore);
const sorted = latencies.subarray(0, Math.min(counts.requests, latencies.length)).sort();
const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
const report: LoadReport = {
  ...counts,
  durationMs,
  cpuMs: (user + system) / 1000,
  p50Ms: at(0.5),
  p99Ms: at(0.99),
  firstBody: first?.body ?? '',
  firstIndex: first?.index ?? 0,
  firstFailure,
};
process.stdout.write(`${JSON.stringify(report)}\n`);
