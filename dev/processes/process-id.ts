// Identity of a process: its number and start time. The start time tells a process from a later one with the same
// number.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

export const processIdSchema = z.object({
  pid: z.int().positive(),
  /** In the system's own format. */
  startedAt: z.string(),
});

export type ProcessId = z.infer<typeof processIdSchema>;

/** Undefined if there is no such process. */
export function identifyProcess(pid: number): ProcessId | undefined {
  const startedAt = process.platform === 'linux' ? readStartTicks(pid) : readStartTime(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Whether the process still runs. False for another process with the same number. */
export const isRunning = ({ pid, startedAt }: ProcessId): boolean => identifyProcess(pid)?.startedAt === startedAt;

/**
 * Field 22 of /proc/PID/stat. The fields after the process name begin behind the last bracket, because a name may
 * contain any character. A zombie has ended.
 */
function readStartTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

function readStartTime(pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}
