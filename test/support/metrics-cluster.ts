// A primary and its workers on one port, like an origin with several processes, for the test of their metrics. It
// prints its address. GET /metrics; /reads?n= counts reads; /hang blocks the process; /exit ends it. Each answer names
// its process.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { askPrimary, collectFromWorkers } from '../../origin/metrics/cluster-metrics.ts';
import { createMetrics } from '../../origin/metrics/metrics.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createCounters } from '../../shared/runtime/counters.ts';

const HANG_MS = 2500;

if (cluster.isPrimary) {
  collectFromWorkers({ cluster, clock: systemClock, timeoutMs: 400 });
  const workers = Array.from({ length: Number(process.argv[2]) }, () => cluster.fork());
  const [first] = await Promise.all(workers.map((worker) => once(worker, 'listening') as Promise<[AddressInfo]>));
  process.stdout.write(`listening on http://127.0.0.1:${first?.[0].port}\n`);
} else {
  const counters = createCounters();
  const metrics = createMetrics({
    region: 'asia',
    counters,
    state: () => ({
      queued: 3,
      executing: 5,
      concurrencyLimit: 400,
      flights: 2,
      isLocalClusterUp: true,
      caches: { lists: { bytes: 1000, entries: 10 }, items: { bytes: 100, entries: 1 } },
    }),
  });
  const expose = askPrimary({ metrics, channel: process, clock: systemClock });

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://worker');
    response.setHeader('Worker', String(cluster.worker?.id));
    response.setHeader('Connection', 'close');
    if (url.pathname === '/metrics') {
      expose().then(
        ({ contentType, body }) => response.setHeader('Content-Type', contentType).end(body),
        (error) => response.writeHead(503).end(String(error)),
      );
      return;
    }
    const reads = Number(url.searchParams.get('n'));
    counters.add('origin_reads_total', reads);
    for (let i = 0; i < reads; i++) metrics.observeRead(0.004, 'ok');
    response.end('ok', () => {
      if (url.pathname === '/exit') process.exit(0);
      if (url.pathname === '/hang') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HANG_MS);
    });
  });
  server.listen(0, '127.0.0.1');
}
