// `node bench/load/open-load-generator.ts`: open-loop load at a fixed rate. Each request is sent when it is due, over a
// free or new connection, and timed from its due time. Reads its order as JSON from standard input (OpenLoadOrder),
// prints one line of JSON (a PhaseReport per phase) and ends.
import { setTimeout as pause } from 'node:timers/promises';
import type { OpenLoadOrder, Phase, PhaseReport } from './open-load.ts';
import { openRawConnection, type RawConnection } from './raw-connection.ts';

const TICK_MS = 2;
/** Servers close connections that are idle for some seconds; a request sent at that moment would be lost. */
const MAX_IDLE_MS = 2_000;
const ERROR_FRAME = Buffer.from('{"kind":"error"');

const order = JSON.parse((await process.stdin.toArray()).join('')) as OpenLoadOrder;
const requests = order.requests.map((text) => Buffer.from(text, 'latin1'));
/** Ordered by last use; the most recent one is last. */
const free: { readonly connection: RawConnection; readonly sinceMs: number }[] = [];
let connections = 0;
let next = 0;

type Outcome = 'ok' | 'shed' | 'failed';

function ask(): Promise<Outcome> {
  const connection = pollFree() ?? open();
  if (connection === undefined) return Promise.resolve('failed');
  return new Promise((resolve) => {
    connection.send(requests[next++ % requests.length] as Buffer, (answer) => {
      if (answer instanceof Error) {
        connections--;
        resolve('failed');
        return;
      }
      free.push({ connection, sinceMs: performance.now() });
      if (answer.status === 200) resolve(answer.body.includes(ERROR_FRAME) ? 'shed' : 'ok');
      else resolve(answer.status === 503 ? 'shed' : 'failed');
    });
  });
}

function pollFree(): RawConnection | undefined {
  const oldestMs = performance.now() - MAX_IDLE_MS;
  while (free[0] !== undefined && free[0].sinceMs < oldestMs) {
    free.shift()?.connection.close();
    connections--;
  }
  for (let last = free.pop(); last !== undefined; last = free.pop()) {
    if (last.connection.isOpen()) return last.connection;
    connections--;
  }
  return undefined;
}

function open(): RawConnection | undefined {
  if (connections === order.maxConnections) return undefined;
  connections++;
  return openRawConnection(order.port);
}

async function run({ perSecond, durationMs, fromMs = 0 }: Phase): Promise<PhaseReport> {
  const counts: Record<Outcome, number> = { ok: 0, shed: 0, failed: 0 };
  const latencies: number[] = [];
  const startedAtMs = performance.now();
  const underWay = new Set<Promise<void>>();
  let sent = 0;
  let mostOpen = 0;
  for (let nowMs = startedAtMs; nowMs < startedAtMs + durationMs; nowMs = performance.now()) {
    for (; sent < ((nowMs - startedAtMs) / 1000) * perSecond; sent++) {
      const dueAtMs = startedAtMs + (sent * 1000) / perSecond;
      const asked: Promise<void> = ask().then((outcome) => {
        underWay.delete(asked);
        if (dueAtMs - startedAtMs < fromMs) return;
        counts[outcome]++;
        if (outcome === 'ok') latencies.push(performance.now() - dueAtMs);
      });
      underWay.add(asked);
    }
    mostOpen = Math.max(mostOpen, underWay.size);
    await pause(TICK_MS);
  }
  const seconds = (durationMs - fromMs) / 1000;
  await Promise.all(underWay);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { ...counts, okPerSecond: counts.ok / seconds, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), mostOpen };
}

const reports: PhaseReport[] = [];
for (const phase of order.phases) reports.push(await run(phase));
// All connections are free now. The process ends when its output has been read.
for (const { connection } of free) connection.close();
process.stdout.write(`${JSON.stringify(reports)}\n`);
