// `npm stop`: ends the local cloud of this directory, including processes that a killed launcher left. It returns when
// every process has ended.
import { stateDirectory } from '../ops/cli/settings.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { clearState, findRunning } from './cloud/state.ts';
import { endGroup } from './processes/process-groups.ts';
import { isRunning } from './processes/process-id.ts';
import { waitUntil } from './processes/wait.ts';

/** Returns what was done, as a line. Throws an Error for a broken state directory. */
async function stop(directory: string): Promise<string> {
  const { launcher, children } = findRunning(directory);
  if (launcher !== undefined) {
    process.kill(launcher.pid, 'SIGTERM');
    await waitUntil(`process ${launcher.pid} to end`, async () => !isRunning(launcher), systemClock);
  } else {
    await Promise.all(children.map(({ pid }) => endGroup(pid, systemClock)));
    clearState(directory);
  }
  return launcher === undefined && children.length === 0 ? 'Nothing is running.' : 'Stopped.';
}

try {
  process.stdout.write(`${await stop(stateDirectory())}\n`);
} catch (error) {
  process.stderr.write(`npm stop: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
