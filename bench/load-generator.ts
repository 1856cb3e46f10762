// `node bench/load-generator.ts`: one HTTP request after another over kept connections, as cheaply as Node can, because it shares the machine with
// what it measures. Its orders come as one line of JSON on standard input (LoadOrder); it prints one line of JSON (LoadReport) and ends.
import { connect, type Socket } from 'node:net';
import type { LoadOrder, LoadReport } from './support/load.ts';

const HEADER_END = Buffer.from('\r\n\r\n');

const order = JSON.parse((await process.stdin.toArray()).join('')) as LoadOrder;
const requests = order.requests.map((text) => Buffer.from(text, 'latin1'));
const latencies = new Float64Array(order.maxSamples);
const startedAtMs = performance.now();
const measureFromMs = startedAtMs + order.warmUpMs;
const untilMs = measureFromMs + order.durationMs;
const report: LoadReport = {
  requests: 0,
  failed: 0,
  bytes: 0,
  durationMs: 0,
  cpuMs: 0,
  p50Ms: 0,
  p99Ms: 0,
  p999Ms: 0,
  firstBody: '',
  firstIndex: 0,
};
let next = 0;
let cpuBefore = process.cpuUsage();
let isMeasuring = false;

function startMeasuring(): void {
  isMeasuring = true;
  cpuBefore = process.cpuUsage();
}

/** Answers are told apart by their Content-Length; their bodies are counted, not looked at, but for the very first. */
function runConnection(): Promise<void> {
  return new Promise((resolve, reject) => {
    let sentAtMs = 0;
    let index = 0;
    let left = 0;
    let head: Buffer = Buffer.alloc(0);
    let isInBody = false;
    let isOk = true;
    const first: Buffer[] = [];
    const socket: Socket = connect({
      host: '127.0.0.1',
      port: order.port,
      onread: {
        buffer: Buffer.alloc(256 * 1024),
        callback: (count, buffer) => {
          take(Buffer.from(buffer.buffer, 0, count));
          return true;
        },
      },
    });
    socket.setNoDelay(true);
    socket.once('connect', send);
    socket.once('error', reject);
    socket.once('close', resolve);

    function send(): void {
      const nowMs = performance.now();
      if (!isMeasuring && nowMs >= measureFromMs) startMeasuring();
      if (nowMs >= untilMs) {
        socket.destroy();
        return;
      }
      sentAtMs = nowMs;
      index = next++ % requests.length;
      socket.write(requests[index] as Buffer);
    }

    function take(chunk: Buffer): void {
      if (isMeasuring) report.bytes += chunk.length;
      let rest = chunk;
      if (!isInBody) {
        head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
        const end = head.indexOf(HEADER_END);
        if (end === -1) return;
        const text = head.toString('latin1', 0, end);
        isOk = text.startsWith('HTTP/1.1 200');
        left = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
        rest = head.subarray(end + HEADER_END.length);
        head = Buffer.alloc(0);
        isInBody = true;
      }
      if (report.firstBody === '') first.push(Buffer.from(rest));
      left -= rest.length;
      if (left > 0) return;
      isInBody = false;
      answered();
    }

    function answered(): void {
      if (report.firstBody === '') {
        report.firstBody = Buffer.concat(first).toString('latin1');
        report.firstIndex = index;
      }
      if (isMeasuring) {
        latencies[report.requests % latencies.length] = performance.now() - sentAtMs;
        report.requests++;
        if (!isOk) report.failed++;
      }
      send();
    }
  });
}

await Promise.all(Array.from({ length: order.connections }, runConnection));
report.durationMs = performance.now() - measureFromMs;
const { user, system } = process.cpuUsage(cpuBefore);
report.cpuMs = (user + system) / 1000;
const sorted = latencies.subarray(0, Math.min(report.requests, latencies.length)).sort();
const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
process.stdout.write(`${JSON.stringify({ ...report, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) })}\n`);
