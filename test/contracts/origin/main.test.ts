// The origin as a process: its error when it cannot start, and its exit.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runNode, spawnNode } from '../../../bench/rigs/local-cloud.ts';
import { makeRandomSecret } from '../../support/random-secret.ts';
import { startInstance } from './instance.ts';
import { ORIGIN_ENVIRONMENT, SECRET } from './running-origin.ts';

const linesOf = (text: string) => text.trimEnd().split('\n');

test('a wrong configuration ends it with exit code 2 and a line for each wrong variable, without any secret', async () => {
  const wrong = {
    EARSHOT_REGION: 'Asia',
    EARSHOT_ORIGIN_SECRET: 'too-short-a-secret',
    PORT: '99999',
    LOG_LEVEL: 'all',
  };
  const { code, stdout, stderr } = await runNode(['origin/start.mjs'], {
    ...wrong,
    EARSHOT_PROJECT: 'contract',
    BIGTABLE_EMULATOR_HOST: 'localhost',
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(linesOf(stderr)).toEqual([
    'earshot-origin: EARSHOT_REGION: expected a lower-case letter, then up to 31 of a-z 0-9 -, got "Asia"',
    'EARSHOT_INSTANCE: expected text, got nothing',
    'EARSHOT_ORIGIN_SECRET: expected at least 32 bytes, got 18',
    'BIGTABLE_EMULATOR_HOST: expected host:port, got "localhost"',
    'PORT: expected a whole number from 0 to 65535, got "99999"',
    'LOG_LEVEL: expected fatal, error, warn, info, debug, trace, silent, got "all"',
  ]);
  expect(stderr).not.toContain('too-short-a-secret');
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s drains it, and it ends with exit code 0', async (signal) => {
  const { server } = await startInstance();
  const running = spawnNode(['origin/start.mjs'], { ...ORIGIN_ENVIRONMENT, BIGTABLE_EMULATOR_HOST: server.endpoint });
  await running.printed('"msg":"listening"');
  const [, url = ''] = /"url":"([^"]+)"/.exec(running.output.stdout) ?? [];
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  running.child.kill(signal);
  expect(await running.exited).toBe(0);
  expect(running.output.stdout).toContain('"msg":"drained"');
  expect(running.output.stderr).toBe('');
  expect(running.output.stdout).not.toContain(SECRET);
});

test('a Bigtable that cannot be reached does not keep it from starting, and the log says why it is not ready', async () => {
  const running = spawnNode(['origin/start.mjs'], { ...ORIGIN_ENVIRONMENT, BIGTABLE_EMULATOR_HOST: '127.0.0.1:1' });
  await running.printed('"msg":"listening"');
  expect(running.output.stdout).toMatch(/"msg":"the manifest could not be read".*/);
  expect(running.output.stdout).toContain('ECONNREFUSED 127.0.0.1:1');
  running.child.kill('SIGTERM');
  expect(await running.exited).toBe(0);
});

test('credentials that cannot be loaded do not end it: it is not ready, and the log says why', async () => {
  const path = join(import.meta.dirname, 'none.json');
  const running = spawnNode(['origin/start.mjs'], {
    ...ORIGIN_ENVIRONMENT,
    EARSHOT_ORIGIN_SECRET: makeRandomSecret(),
    EARSHOT_METRICS_PORT: '0',
    GOOGLE_APPLICATION_CREDENTIALS: path,
  });
  await running.printed('"msg":"listening"');
  const [, url, metricsUrl] = /"url":"([^"]+)","metricsUrl":"([^"]+)"/.exec(running.output.stdout) ?? [];
  // The reason names files and hosts.
  expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ status: 'connecting to Bigtable' });
  const readiness = await fetch(`${metricsUrl}/readyz`);
  expect(readiness.status).toBe(503);
  expect(await readiness.json()).toEqual({
    status: 'connecting to Bigtable',
    reason: expect.stringMatching(/no client of Bigtable: .*none\.json/),
  });
  expect(running.output.stdout).toMatch(
    /no client of Bigtable: .*none.json does not exist.*"msg":"the connections to Bigtable could not be primed"/,
  );
  running.child.kill('SIGTERM');
  expect(await running.exited).toBe(0);
  expect(running.output.stderr).toBe('');
});

test('a port that is taken is one clear line and exit code 1', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const { port } = squatter.address() as { port: number };
  try {
    const { code, stderr } = await runNode(['origin/start.mjs'], {
      ...ORIGIN_ENVIRONMENT,
      PORT: String(port),
      BIGTABLE_EMULATOR_HOST: '127.0.0.1:1',
    });
    expect(code).toBe(1);
    expect(linesOf(stderr)).toEqual([expect.stringMatching(`^earshot-origin: .*EADDRINUSE.*${port}`)]);
  } finally {
    squatter.close();
  }
});

test('its log says that metrics are off, and that a HOST beyond this machine has to be protected', async () => {
  const { server } = await startInstance();
  const env = { ...ORIGIN_ENVIRONMENT, BIGTABLE_EMULATOR_HOST: server.endpoint };
  const logOf = async (own: Readonly<Record<string, string>>): Promise<string> => {
    const running = spawnNode(['origin/start.mjs'], { ...env, ...own });
    await running.printed('"msg":"listening"');
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
    return running.output.stdout;
  };
  const off = 'metrics are off: EARSHOT_METRICS_PORT is not set';
  const exposed = /"level":40,.*"host":"0\.0\.0\.0","msg":"this address can be reached from other machines/;
  const [closed, open] = [await logOf({}), await logOf({ HOST: '0.0.0.0', EARSHOT_METRICS_PORT: '0' })];
  expect([closed.includes(off), exposed.test(closed)]).toEqual([true, false]);
  expect([open.includes(off), exposed.test(open)]).toEqual([false, true]);
});
