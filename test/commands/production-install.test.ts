// The production install: `npm ci --omit=dev` of the files that production needs. Origin and `earshot` run from it, on
// a read-only root file system, and name what they expect of Node.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runNode, spawnCommand } from '../../bench/rigs/local-cloud.ts';
import { NODE_ARGS } from '../../origin/node-args.ts';
import { startInstance } from '../contracts/origin/instance.ts';
import { ORIGIN_ENVIRONMENT } from '../contracts/origin/running-origin.ts';

const repository = join(import.meta.dirname, '../..');
const FILES = ['package.json', 'package-lock.json', 'ops', 'origin', 'shared'];

let install: string;
beforeAll(async () => {
  install = mkdtempSync(join(tmpdir(), 'earshot-install-'));
  for (const file of FILES) cpSync(join(repository, file), join(install, file), { recursive: true });
  // The only script that does something compiles an optional checksum for half a minute.
  const args = ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await promisify(execFile)('npm', args, { cwd: install });
});
afterAll(() => rmSync(install, { recursive: true, force: true }));

test('the command runs', async () => {
  const { code, stdout } = await runNode(['ops/earshot.mjs', 'ingest', '--help'], {}, install);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Usage: earshot ingest') });
});

test('the entries name the oldest Node that package.json declares', () => {
  const { engines } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  expect(readFileSync(join(repository, 'origin/require-node.mjs'), 'utf8')).toContain(
    `expected Node ${engines.node.replace('>=', '')} or newer`,
  );
});

test.each(['ops/earshot.mjs', 'origin/start.mjs'])('%s names the Node that it expects, in one line', async (entry) => {
  // Such a Node cannot strip types, like an old one.
  const { code, stdout, stderr } = await runNode(['--no-experimental-strip-types', entry], {}, install);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr.replace(/^\(node:.*\n.*\n/, '')).toMatch(
    /^earshot: expected Node 22\.18 or newer, which runs TypeScript, got v[\d.]+; .*\n$/,
  );
});

test('the origin needs no file to write: it starts and drains on a read-only root without TMPDIR and HOME', async () => {
  const { server } = await startInstance();
  const command = [process.execPath, ...NODE_ARGS, 'origin/start.mjs'].map((word) => `'${word}'`).join(' ');
  const script = `mount --make-rprivate / && mount -o remount,bind,ro / && ! touch '${install}/x' 2>/dev/null && exec ${command}`;
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const running = spawnCommand('unshare', [...asRoot, '--mount', 'sh', '-c', script], {
    cwd: install,
    env: { ...ORIGIN_ENVIRONMENT, TMPDIR: '/nowhere', HOME: '/nowhere', BIGTABLE_EMULATOR_HOST: server.endpoint },
  });
  await running.printed('"msg":"listening"');
  const [, url = ''] = /"url":"([^"]+)"/.exec(running.output.stdout) ?? [];
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  running.child.kill('SIGTERM');
  expect(await running.exited).toBe(0);
  expect(running.output.stdout).toContain('"msg":"drained"');
});
