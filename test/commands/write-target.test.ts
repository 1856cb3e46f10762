// Every command that writes names the instance first. On a terminal it asks before it writes to Cloud Bigtable.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { spawnCommand } from '../../bench/rigs/local-cloud.ts';
import { runInProcess } from '../support/earshot/command-in-process.ts';

let directory: string;
let lists: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-target-'));
  lists = join(directory, 'lists.ndjson');
  writeFileSync(lists, '{"user":"u","items":[{"id":"i","score":1}]}\n');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const home = ['--surface', 'home', '--variant', 'control'];
const writes: readonly (readonly string[])[] = [
  ['schema', 'apply', '--clusters', 'asia=asia'],
  ['ingest', 'lists.ndjson', ...home],
  ['ingest', 'lists.ndjson', '--items'],
  ['publish', 'home/control@2026-11-22T03:00:00Z'],
  ['rollback', 'home/control', '--why', 'a test'],
  ['ramp', 'finish', 'home/control'],
  ['release', 'block', 'home/control@2026-11-22T03:00:00Z', '--why', 'a test'],
  ['release', 'adopt', 'home/control', '--generation', '2026-11-22T03:00:00Z', '--expect-lists', '1'],
  ['release', 'drop', 'home/control@2026-11-22T03:00:00Z', '--why', 'a test'],
  ['region', 'degrade', 'europe', '--until', '2099-01-01', '--why', 'a test'],
  ['region', 'restore', 'europe'],
  ['weight', 'home', 'control=1'],
  ['variant', 'remove', 'home/knn'],
  ['surface', 'remove', 'home'],
  ['manifest', 'restore', '1', '--why', 'a test'],
  ['erase', 'u:1', '--why', 'a test'],
  ['erase', '--resume'],
  ['keep-out', 'remove', 'u:1'],
  ['block', 'item', 'artist:1', '--why', 'a test'],
  ['unblock', 'item', 'artist:1'],
  ['switch', 'set', 'hedging=off', '--why', 'a test'],
  ['switch', 'clear', 'hedging'],
];
const instance = ['--project', 'some-project', '--instance', 'some-instance'];

test.each(writes.map((args) => ({ command: args.slice(0, 3).join(' '), args })))(
  '$command says where it writes',
  async ({ args }) => {
    // Nothing listens there: the command fails after it has named the instance.
    const env = {
      BIGTABLE_EMULATOR_HOST: '127.0.0.1:1',
      EARSHOT_RETRY_MS: '0',
      EARSHOT_STATE_DIR: directory,
      EARSHOT_HASH_KEY: 'a-hash-key-for-tests-only-0123456789',
    };
    const named = args.map((arg) => (arg === 'lists.ndjson' ? lists : arg));
    const { code, stderr } = await runInProcess([...instance, ...named], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^writing to some-project\/some-instance at 127\.0\.0\.1:1\n/);
  },
);

/** Runs `earshot` on a terminal, with `answer` typed. */
async function onTerminal(answer: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const command = [process.execPath, 'ops/earshot.mjs', ...instance, ...args].map((arg) => `'${arg}'`).join(' ');
  // Without credentials, so that a write would fail.
  const env = { GOOGLE_APPLICATION_CREDENTIALS: '/nowhere.json', EARSHOT_RETRY_MS: '0', EARSHOT_STATE_DIR: directory };
  const running = spawnCommand('script', ['-qec', command, '/dev/null'], { env });
  running.child.stdin.end(`${answer}\n`);
  return { code: await running.exited, output: running.output.stdout };
}

test.each(['n', '', 'maybe'])('on a terminal, the answer %j writes nothing to Cloud Bigtable', async (answer) => {
  const { code, output } = await onTerminal(answer, 'weight', 'home', 'control=1');
  expect(code).toBe(2);
  expect(output).toContain('Write to some-project/some-instance of Cloud Bigtable? [y/N]');
  expect(output).toContain('earshot: nothing was written to some-project/some-instance of Cloud Bigtable');
});

test.each([
  ['the answer y', 'y', []],
  ['--yes', '', ['--yes']],
])('on a terminal, %s goes on', async (_name, answer, options) => {
  const { code, output } = await onTerminal(answer, ...options, 'weight', 'home', 'control=1');
  expect(code).toBe(1);
  expect(output).toContain('/nowhere.json');
});

test('a dry run names no target', async () => {
  const env = { BIGTABLE_EMULATOR_HOST: '127.0.0.1:1', EARSHOT_RETRY_MS: '0', EARSHOT_STATE_DIR: directory };
  const { stderr } = await runInProcess([...instance, 'weight', 'home', 'control=1', '--dry-run'], env);
  expect(stderr).not.toContain('writing to');
});
