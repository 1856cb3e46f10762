// Wrangler without arguments in the root of a checkout, with and without a local cloud. The checkout is a copy: only a
// cloud with the default state directory writes .dev.vars, and this root may be in use.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findCloudPorts, portArgs, runNode, spawnNode } from '../../bench/rigs/local-cloud.ts';
import { findProcesses } from '../support/processes.ts';
import { eventuallySeldom } from '../support/waiting.ts';

const repository = join(import.meta.dirname, '../..');
const COPIED = ['edge', 'origin', 'ops', 'dev', 'shared', 'package.json', 'tsconfig.base.json', 'wrangler.toml'];
const WRANGLER = 'node_modules/wrangler/bin/wrangler.js';
/** A test's processes have its root in their environment. */
const environment = () => ({ ...WRANGLER_ENV, PWD: root });
const WRANGLER_ENV = { WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', CI: 'true' };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  for (const name of COPIED) cpSync(join(repository, name), join(root, name), { recursive: true });
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
});
afterEach(() => {
  for (const { pid } of findProcesses(root)) process.kill(pid, 'SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

const run = (...args: string[]) => runNode(args, environment(), root);
const startCloud = async () => run('dev/start.ts', '--detach', ...portArgs(await findCloudPorts()));
const devVars = (): string => join(root, '.dev.vars');

/** `npx wrangler dev`, after it listens. */
async function startWrangler() {
  const wrangler = spawnNode([WRANGLER, 'dev'], environment(), root);
  await wrangler.printed('Ready on http://');
  const [, url = ''] = /Ready on (http:\/\/\S+)/.exec(wrangler.output.stdout) ?? [];
  return {
    url,
    output: wrangler.output,
    stop: async () => {
      wrangler.child.kill('SIGTERM');
      await wrangler.exited;
    },
  };
}

test('`wrangler dev` beside `npm start` serves from the local cloud, whose end removes .dev.vars', async () => {
  expect((await startCloud()).stdout).toContain('`npx wrangler dev` serves from this cloud, too.\n');
  expect(statSync(devVars()).mode & 0o777).toBe(0o600);
  const wrangler = await startWrangler();
  const { stdout: token } = await run('ops/earshot.mjs', 'token', '--user', 'listener:1');
  const headers = { authorization: `Bearer ${token.trim()}`, 'earshot-dev-location': 'NRT' };
  const response = await fetch(`${wrangler.url}/v1/me/recommendations/home?limit=2`, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-status')).toMatch(
    /(^|, )origin-asia; fwd=miss; fwd-status=200, region-asia; fwd=miss/,
  );
  expect(await response.json()).toMatchObject({ user: 'listener:1', source: 'personal', items: [{}, {}] });
  await wrangler.stop();
  expect(await run('dev/stop.ts')).toMatchObject({ code: 0, stdout: 'Stopped.\n' });
  expect(existsSync(devVars())).toBe(false);
  // Wrangler's esbuild ends after wrangler has closed its input.
  await eventuallySeldom(() => expect(findProcesses(root)).toEqual([]));
});

test('`npm start` does not read a .dev.vars that a person wrote, leaves it as it is, and says so', async () => {
  writeFileSync(devVars(), 'ENVIRONMENT=production\n');
  // `npm start` waits until the worker answers /healthz with 200.
  expect((await startCloud()).stdout).toContain(
    '`npx wrangler dev` uses your .dev.vars, which `npm start` has not changed.',
  );
  await run('dev/stop.ts');
  expect(readFileSync(devVars(), 'utf8')).toBe('ENVIRONMENT=production\n');
});

test('`wrangler dev` without .dev.vars answers 503, and logs one line with the missing variables and `npm start`', async () => {
  const wrangler = await startWrangler();
  for (const path of ['/healthz', '/v1/me/recommendations/home']) {
    const response = await fetch(`${wrangler.url}${path}`);
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ code: 'not_configured' });
  }
  await wrangler.stop();
  const lines = `${wrangler.output.stdout}${wrangler.output.stderr}`.split('\n');
  const [line = '', ...others] = lines.filter((each) => each.includes('configuration_invalid'));
  expect(others).toEqual([]);
  expect(line).toContain('"missing":"PUBLIC_HOSTS, ORIGIN_SECRET, TOKEN_SECRET or TOKEN_JWKS_URL"');
  expect(line).toContain('run `npm start`');
});

test('`wrangler deploy --dry-run` and `wrangler types` need no arguments that name a file', async () => {
  const deployed = await run(WRANGLER, 'deploy', '--dry-run');
  expect(deployed).toMatchObject({ code: 0, stdout: expect.stringContaining('env.REGION_CACHE (RegionCache)') });
  expect(await run(WRANGLER, 'types')).toMatchObject({ code: 0 });
  expect(readFileSync(join(root, 'worker-configuration.d.ts'), 'utf8')).toContain(
    'import("./edge/worker").RegionCache',
  );
});
