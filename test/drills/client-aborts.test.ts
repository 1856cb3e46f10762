// Clients that go away in the middle of their requests: the deployed worker in workerd keeps nothing of them. The same
// clients at a bare worker show what workerd itself keeps. A round is 500 aborts at each:
// `npm run drill -- client-aborts --rounds 16` makes 8 000.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createBatchAsks, TOKEN_SECRET } from '../../bench/rigs/edge-asks.ts';
import { connectInspector } from '../../bench/rigs/inspector.ts';
import { startListOrigin } from '../../bench/rigs/list-origin.ts';
import { bundleLike, type WorkerBundle } from '../../bench/rigs/worker-bundle.ts';
import { startWorkerd } from '../../bench/rigs/workerd.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';
import { drillRounds, drillSeed } from '../support/drill-rounds.ts';
import { shareEdgeBundle } from '../support/shared-bundle/shared-bundle.ts';
import { eventually } from '../support/waiting.ts';
import { abortOnce, MOMENTS, type Requests } from './aborts/clients.ts';
import type { Part } from './fuzz/deployment.ts';
import { type Memory, measureMemory } from './fuzz/memory.ts';

const ABORTS_PER_ROUND = 500;
const CONCURRENCY = 32;
/** Requests that are answered: before the first measurement, and in the rest after the last round. */
const CALM_REQUESTS = 60;
/** The origin's answer is never at hand at once, so that a client can go before it. */
const ORIGIN_MS = 15;
const METADATA_BYTES = 3_000;
/** No list is cached: the memory of region objects would be in the figures or not, as workerd ends idle ones. */
const CACHE_BYTES = '0';
/** Live bytes that may be more after all aborts and a rest. One kept answer of 300 kB per 100 aborts would be more. */
const MAX_MORE_BYTES = 3_000_000;

interface Worker extends Part {
  readonly requests: Requests;
}

test('clients that go away leave nothing in the live memory of the worker', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-aborts-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const { edge, bare } = await bundleWorkers(directory);
  const random = createRandom();
  const deployed = await startDeployed(edge);
  const own = await abortMany(deployed, random);
  const baseline = await abortMany(await startBare(bare), random);
  for (const [name, { before, after }] of Object.entries({ deployed: own, bare: baseline })) {
    const aborts = drillRounds * ABORTS_PER_ROUND;
    process.stdout.write(`${name}, ${aborts} aborts: ${describe(before)} before, ${describe(after)} after a rest\n`);
  }
  expect(own.after.liveBytes - own.before.liveBytes).toBeLessThan(MAX_MORE_BYTES);
}, 36_000_000);

async function abortMany(worker: Worker, random: () => number): Promise<{ before: Memory; after: Memory }> {
  await answerAll(worker, 0);
  const before = await measureMemory(worker);
  const cut = new Map<string, number>(MOMENTS.map((moment) => [moment, 0]));
  for (let round = 1; round <= drillRounds; round++) {
    const first = round * ABORTS_PER_ROUND;
    const indexes = Array.from({ length: ABORTS_PER_ROUND }, (_, i) => first + i);
    await Promise.all(
      Array.from({ length: CONCURRENCY }, async () => {
        for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) {
          const { moment, received } = await abortOnce({ port: worker.port, requests: worker.requests, index, random });
          const isIn = moment === 'in the answer' ? received > 0 : received === 0;
          if (isIn) cut.set(moment, (cut.get(moment) ?? 0) + 1);
        }
      }),
    );
    const memory = await measureMemory(worker);
    process.stdout.write(`${worker.name}, round ${round}: ${describe(memory)}\n`);
  }
  // Most clients went at the moment that they are meant for, so that the drill is no empty one.
  for (const [moment, count] of cut)
    expect(count, moment).toBeGreaterThan((drillRounds * ABORTS_PER_ROUND) / MOMENTS.length / 4);
  let after = before;
  await eventually(async () => {
    await answerAll(worker, 1);
    after = await measureMemory(worker);
    if (worker.name === 'deployed') expect(after.liveBytes - before.liveBytes).toBeLessThan(MAX_MORE_BYTES);
  });
  return { before, after };
}

/** Requests of clients that stay. Each is answered. */
async function answerAll({ port, requests }: Worker, phase: number): Promise<void> {
  for (let i = 0; i < CALM_REQUESTS; i++) {
    const [head = '', ...lines] = requests
      .read(-1 - (phase * CALM_REQUESTS + i))
      .trimEnd()
      .split('\r\n');
    const [, path = ''] = head.split(' ');
    const headers = Object.fromEntries(lines.map((line) => line.split(': ') as [string, string]));
    const { Host: _, ...own } = headers;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: own });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  }
}

async function bundleWorkers(directory: string): Promise<{ edge: WorkerBundle; bare: WorkerBundle }> {
  const edge = await shareEdgeBundle();
  return { edge, bare: await bundleLike(edge, join(import.meta.dirname, 'aborts/bare-worker.ts'), directory) };
}

async function startDeployed(bundle: WorkerBundle): Promise<Worker> {
  const origin = await startListOrigin({ metadataBytes: METADATA_BYTES, beforeLists: () => delay(ORIGIN_MS) });
  onTestFinished(origin.stop);
  const regions = [{ name: 'asia', origin: origin.url, locationHint: 'apac', latitude: 1.35, longitude: 103.82 }];
  const { headers = {} } = (await createBatchAsks())([]);
  const common = `Host: edge.example\r\nAuthorization: ${headers.authorization}\r\n`;
  return start('deployed', bundle, {
    bindings: {
      ...bundle.vars,
      ...{ ENVIRONMENT: 'local', PUBLIC_HOSTS: '', REGIONS: JSON.stringify(regions), TOKEN_SECRET },
      ...{ ORIGIN_SECRET: 'origin-secret-for-benches-only-0123456789-' },
      ...{ ISOLATE_CACHE_BYTES: CACHE_BYTES, REGION_CACHE_BYTES: CACHE_BYTES },
    },
    objects: { REGION_CACHE: 'RegionCache' },
    requests: {
      read: (index) =>
        `GET /v1/users/listener:${index}/recommendations/home?limit=100&expand=items HTTP/1.1\r\n${common}\r\n`,
      batch: (_, bytes) =>
        `POST /v1/recommendations:batch HTTP/1.1\r\n${common}Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`,
    },
  });
}

const startBare = (bundle: WorkerBundle): Promise<Worker> =>
  start('bare', bundle, {
    bindings: {},
    objects: {},
    requests: {
      read: (index) => `GET /lists/${index} HTTP/1.1\r\nHost: edge.example\r\n\r\n`,
      batch: (index, bytes) => `POST /${index} HTTP/1.1\r\nHost: edge.example\r\nContent-Length: ${bytes}\r\n\r\n`,
    },
  });

interface WorkerSetting extends Pick<Parameters<typeof startWorkerd>[0], 'bindings' | 'objects'> {
  readonly requests: Requests;
}

async function start(name: string, bundle: WorkerBundle, { requests, ...setting }: WorkerSetting): Promise<Worker> {
  const workerd = await startWorkerd({ bundle, ...setting, isQuiet: true, withInspector: true });
  onTestFinished(workerd.stop);
  const healthPath = '/healthz';
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${workerd.port}${healthPath}`)).status).toBe(200));
  const inspector = await connectInspector(workerd.inspectorPort ?? 0);
  onTestFinished(() => inspector.close());
  return { name, pid: workerd.pid, port: workerd.port, inspector, healthPath, requests };
}

/** Numbers from 0 to 1 that the seed of the drill decides. */
function createRandom(): () => number {
  let drawn = 0;
  return () => murmur3(`aborts ${drawn++}`, drillSeed) / 2 ** 32;
}

const describe = ({ liveBytes, residentBytes }: Memory): string =>
  `${(liveBytes / 1e6).toFixed(1)} MB live, ${(residentBytes / 1e6).toFixed(1)} MB resident`;
