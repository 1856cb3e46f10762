// `npm stop`: ends the local cloud of this directory, including processes that a killed launcher left. It returns when
// every process has ended.
import { stateDirectory } from '../ops/cli/settings.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { endGroup } from './cloud/children.ts';
import { isRunning } from './cloud/process-id.ts';
import { clearState, findRunning } from './cloud/state.ts';
import { waitUntil } from './cloud/wait.ts';

const directory = stateDirectory();
const { launcher, children } = findRunning(directory);
if (launcher !== undefined) {
  process.kill(launcher.pid, 'SIGTERM');
  await waitUntil(`process ${launcher.pid} to end`, async () => !isRunning(launcher), systemClock);
} else {
  await Promise.all(children.map(({ pid }) => endGroup(pid, systemClock)));
  clearState(directory);
}
process.stdout.write(launcher === undefined && children.length === 0 ? 'Nothing is running.\n' : 'Stopped.\n');
