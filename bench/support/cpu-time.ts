// CPU time of a process and its waited-for children, from Linux's /proc: all threads, user and kernel.
import { readFileSync } from 'node:fs';

/** Unit of the times in /proc (proc(5), USER_HZ). */
const TICK_MS = 10;

/** Milliseconds, in steps of 10. Throws an Error without such a process or without /proc. */
export function cpuTimeMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in brackets and may contain any character. Fields 14 to 17 are utime, stime, cutime,
  // cstime.
  const ticks = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) * TICK_MS;
}
