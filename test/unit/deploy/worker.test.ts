// `npm run deploy:staging` and its neighbour: without --step they print the steps and upload nothing.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const repository = join(import.meta.dirname, '../../..');
const ID = '3f2c9a10-1111-4222-8333-444455556666';

async function deploy(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, PATH: `${join(repository, 'node_modules/.bin')}:${process.env.PATH}` };
  try {
    const run = promisify(execFile)(process.execPath, ['deploy/worker.mjs', ...args], { cwd: repository, env });
    return { code: 0, ...(await run) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

test.each(['staging', 'production'])(
  'for %s it bundles the worker and prints each step in order',
  async (environment) => {
    const { code, stdout } = await deploy(environment, '--next', ID);
    expect([code, stdout]).toEqual([0, expect.stringContaining('--dry-run: exiting now.')]);
    const lines = stdout.split('\n').filter((line) => line.includes(' npx wrangler versions '));
    expect(lines.map((line) => line.trim().split(/\s+/)[0])).toEqual(['upload', 'zero', 'few', 'half', 'all', 'back']);
    expect(lines[0]).toMatch(/versions upload --env \w+ --tag \S+$/);
    expect(lines[2]).toContain(`versions deploy ${ID}@5% LIVE_ID@95% --env ${environment} --yes`);
    expect(lines[5]).toContain(`versions deploy LIVE_ID@100% --env ${environment}`);
    expect(stdout).toContain('None has been taken.');
  },
);

test.each<[args: string[], message: string]>([
  [[], 'expected one of staging, production, got nothing'],
  [['mars'], 'expected one of staging, production, got mars'],
  [['staging', '--step', 'some'], 'expected --step to be one of upload, zero, few, half, all, back'],
  [['staging', '--step', 'zero'], 'expected --next ID and --live ID for the step zero'],
  [['staging', '--step', 'few', '--next', ID], 'expected --live ID for the step few'],
  [['staging', '--step', 'all', '--next', 'x; rm -rf /'], 'expected --next to be the id of a version'],
])('%j is refused before anything runs', async (args, message) => {
  const { code, stdout, stderr } = await deploy(...args);
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)]);
});

test('the worker that it names is that of wrangler.toml, and the previous build is a commit', () => {
  const toml = readFileSync(join(repository, 'wrangler.toml'), 'utf8');
  expect(toml).toContain('# The worker earshot-staging: `--env staging`.');
  expect(readFileSync(join(repository, 'deploy/previous'), 'utf8')).toMatch(/^[0-9a-f]{40}\n$/);
});
