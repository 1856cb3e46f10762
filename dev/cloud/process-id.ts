// A process told apart from a later one that was given the same number: by when it was started.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

export const processIdSchema = z.object({
  pid: z.int().positive(),
  /** In whatever form the system tells it. */
  startedAt: z.string(),
});

export type ProcessId = z.infer<typeof processIdSchema>;

/** Undefined when there is no such process. */
export function identifyProcess(pid: number): ProcessId | undefined {
  const startedAt = process.platform === 'linux' ? readStartTicks(pid) : readStartTime(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Whether it is the process that it was. */
export const isRunning = ({ pid, startedAt }: ProcessId): boolean => identifyProcess(pid)?.startedAt === startedAt;

/**
 * Field 22 of /proc/PID/stat; those after the name, which may hold anything, begin behind the last bracket. A zombie
 * has ended.
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
