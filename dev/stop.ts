// `npm stop`: ends the local cloud of this directory and returns when it is gone.
import { stateDirectory } from '../ops/settings.ts';
import { systemClock } from '../shared/clock.ts';
import { findRunning, isAlive } from './state.ts';
import { waitUntil } from './wait.ts';

const pid = findRunning(stateDirectory());
if (pid === undefined) {
  process.stdout.write('Nothing is running.\n');
} else {
  process.kill(pid, 'SIGTERM');
  await waitUntil(`the end of process ${pid}`, async () => !isAlive(pid), systemClock);
  process.stdout.write('Stopped.\n');
}
