// Several origin processes on one port, one per core: they share the port and nothing else.
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { runNode, spawnNode } from '../../../bench/rigs/local-cloud.ts';
import { findFreePorts } from '../../../bench/support/free-ports.ts';
import { eventually } from '../../support/waiting.ts';
import { startInstance } from './instance.ts';
import { ORIGIN_ENVIRONMENT } from './running-origin.ts';

async function makeEnvironment() {
  const { server } = await startInstance();
  const [port = 0, ...metricsPorts] = await findFreePorts(3);
  const common = {
    ...ORIGIN_ENVIRONMENT,
    BIGTABLE_EMULATOR_HOST: server.endpoint,
    PORT: String(port),
  };
  return { common, port, metricsPorts };
}

async function start(env: Readonly<Record<string, string>>) {
  const running = spawnNode(['origin/start.mjs'], env);
  onTestFinished(() => void running.child.kill('SIGKILL'));
  await running.printed('"msg":"listening"');
  return running;
}

/** A connection per request: the kernel assigns each to one of the processes. */
function livez(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  const socket = connect({ port, host: '127.0.0.1' }, () => socket.end('GET /livez HTTP/1.0\r\nHost: a\r\n\r\n'));
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.once('end', () => resolve(text)).once('error', reject);
  return promise;
}

const openConnections = async (metricsPort: number): Promise<number> => {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/^nodejs_active_resources_total\S* (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
};

test('two processes answer on one port, each has metrics of its own, and one goes on when the other is killed', async () => {
  const { common, port, metricsPorts } = await makeEnvironment();
  const both = await Promise.all(
    metricsPorts.map((own) => start({ ...common, EARSHOT_REUSE_PORT: 'on', EARSHOT_METRICS_PORT: String(own) })),
  );
  for (let i = 0; i < 20; i++) expect(await livez(port)).toMatch(/^HTTP\/1\.1 200 OK/);
  for (const own of metricsPorts) expect(await openConnections(own)).toBeGreaterThan(0);

  both[0]?.child.kill('SIGKILL');
  await both[0]?.exited;
  for (let i = 0; i < 20; i++) expect(await livez(port)).toMatch(/^HTTP\/1\.1 200 OK/);
  both[1]?.child.kill('SIGTERM');
  expect(await both[1]?.exited).toBe(0);
  await eventually(async () => expect(await livez(port).catch((error: Error) => error.message)).toMatch(/REFUSED/));
});

test('without EARSHOT_REUSE_PORT a second process on the port ends with one line', async () => {
  const { common, port } = await makeEnvironment();
  await start(common);
  const { code, stderr } = await runNode(['origin/start.mjs'], common);
  expect([code, stderr]).toEqual([1, `earshot-origin: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`]);
});
