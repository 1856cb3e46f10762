// Ends the local cloud when its launcher has ended without doing so, for example by SIGKILL: `node dev/cloud/guard.ts
// DIRECTORY`. The launcher holds the other end of standard input.
import { once } from 'node:events';
import { pause, systemClock } from '../../shared/runtime/clock.ts';
import { endGroup } from '../processes/process-groups.ts';
import { clearState, findRunning } from './state.ts';

const POLL_MS = 20;

const [directory = ''] = process.argv.slice(2);
// The launcher ends the guard first.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
process.stdin.resume();
process.stdin.on('error', () => undefined);
await once(process.stdin, 'close');
process.stdout.write('the pipe of the launcher is closed\n');
// The system closes the pipe of a killed process before it lists the process as ended.
while (findRunning(directory).launcher !== undefined) await pause(systemClock, POLL_MS);
const others = findRunning(directory).children.filter(({ pid }) => pid !== process.pid);
process.stdout.write(`the launcher has ended; ending ${others.map(({ pid }) => pid).join(', ')}\n`);
await Promise.all(others.map(({ pid }) => endGroup(pid, systemClock)));
clearState(directory);
process.exit(0);
