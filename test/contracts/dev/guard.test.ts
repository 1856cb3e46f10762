// The guard of a local cloud as a real process: it ends the parts once the launcher has ended, never before.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { spawnCommand } from '../../../bench/rigs/local-cloud.ts';
import { identifyProcess } from '../../../dev/processes/process-id.ts';
import { writeStateFile } from '../../../ops/cli/state-file.ts';
import { findProcesses } from '../../support/processes.ts';

let stateDirectory: string;
beforeEach(() => {
  stateDirectory = mkdtempSync(join(tmpdir(), 'earshot-test-'));
});
afterEach(() => {
  for (const { pid } of findProcesses(stateDirectory)) process.kill(pid, 'SIGKILL');
  rmSync(stateDirectory, { recursive: true, force: true });
});

const start = (...args: string[]) =>
  spawnCommand(process.execPath, args, { env: { EARSHOT_STATE_DIR: stateDirectory }, detached: true });

async function startIdle() {
  const idle = start('-e', 'console.log("here"); setInterval(() => {}, 1000)');
  await idle.printed('here');
  return idle;
}

// The system closes a killed launcher's end of the pipe before it lists the launcher as ended.
test('a launcher whose pipe is closed is waited for, and then its parts end', async () => {
  const launcher = await startIdle();
  const part = await startIdle();
  const [launcherId, partId] = [launcher, part].map(({ child }) => identifyProcess(child.pid ?? 0));
  writeStateFile(join(stateDirectory, 'processes.json'), { launcher: launcherId, children: [partId] });
  const guard = start('dev/cloud/guard.ts', stateDirectory);
  guard.child.stdin.end();
  await guard.printed('the pipe of the launcher is closed');
  expect(part.child.exitCode).toBeNull();
  launcher.child.kill('SIGKILL');
  expect(await guard.exited).toBe(0);
  expect(findProcesses(stateDirectory)).toEqual([]);
  expect(readdirSync(stateDirectory)).toEqual([]);
});
