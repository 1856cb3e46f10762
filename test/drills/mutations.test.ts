// Runs the isolation drill over faults of the isolation between users (test/support/mutations.ts). It has to find each.
// One mutation a round: `npm run drill -- mutations --rounds 20` makes all of them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drillRounds } from '../support/drill-rounds.ts';
import { MUTATIONS } from '../support/mutations.ts';

const root = join(import.meta.dirname, '../..');
const TIMEOUT_MS = 600_000;

test.each(Object.keys(MUTATIONS).slice(0, drillRounds))('the drill finds that %s', { timeout: TIMEOUT_MS }, (name) => {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const options = ['run', '--project', 'simulation', '--bail', '1', 'test/simulation/isolation.test.ts'];
  const startedAtMs = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, ...options], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, EARSHOT_MUTATION: name, DRILL_ROUNDS: '2', NO_COLOR: '1' },
  });
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  const [violation] = /Violation: .*/.exec(stdout + stderr) ?? [];
  const [, ms] = /× in .* reads of seed \d+ (\d+)\s*ms/.exec(stdout) ?? [];
  console.log(`${seconds} s, of which ${ms} ms were reads: ${violation?.slice(0, 200)}`);
  expect([status, violation], stderr.slice(-2_000)).toEqual([1, expect.any(String)]);
});
