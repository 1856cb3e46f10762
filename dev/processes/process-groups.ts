// Process groups: each part of the local cloud leads its own, so that its descendants can be found and end with it.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type Clock, pause } from '../../shared/runtime/clock.ts';

const GRACE_MS = 5000;
const POLL_MS = 20;

interface GroupMember {
  readonly pid: number;
  readonly program: string;
}

/** The running processes of the group. Zombies have ended. */
export function membersOf(group: number): GroupMember[] {
  const members = process.platform === 'linux' ? readProc() : readPs();
  return members.filter((member) => member.group === group && !member.state.startsWith('Z'));
}

/** Ends a group; kills it after GRACE_MS. Resolves when every process of the group has ended. */
export async function endGroup(group: number, clock: Clock): Promise<void> {
  signalGroup(group, 'SIGTERM');
  const cancel = clock.setTimeout(() => signalGroup(group, 'SIGKILL'), GRACE_MS);
  await groupToEnd(group, clock);
  cancel();
}

/** Kills a group. Resolves when every process of the group has ended. */
export async function killGroup(group: number, clock: Clock): Promise<void> {
  signalGroup(group, 'SIGKILL');
  await groupToEnd(group, clock);
}

export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Bounded: a process in the kernel's own wait cannot be killed. */
async function groupToEnd(group: number, clock: Clock): Promise<void> {
  const untilMs = clock.now() + 2 * GRACE_MS;
  while (membersOf(group).length > 0 && clock.now() < untilMs) await pause(clock, POLL_MS);
}

interface Listed extends GroupMember {
  readonly group: number;
  readonly state: string;
}

/** Fields 1 to 5 of /proc/PID/stat: the name is in brackets and may contain any character (proc(5)). */
function readProc(): Listed[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const stat = readOrEmpty(`/proc/${pid}/stat`);
    const [, program = '', state = '', , group = ''] = /^\d+ \((.*)\) (\S) (\d+) (\d+) /s.exec(stat) ?? [];
    return group === '' ? [] : [{ pid: Number(pid), program, state, group: Number(group) }];
  });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readPs(): Listed[] {
  const table = execFileSync('ps', ['-axo', 'pid=,pgid=,stat=,comm='], { encoding: 'utf8' });
  return table.split('\n').flatMap((line) => {
    const [, pid, group, state = '', path = ''] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined
      ? []
      : [{ pid: Number(pid), group: Number(group), state, program: path.split('/').at(-1) ?? '' }];
  });
}
