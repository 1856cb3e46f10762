// The CPU time that a process and the children it has waited for have used, from Linux's /proc: all threads, user and
// kernel.
import { readFileSync } from 'node:fs';

/** The kernel shows times to programs in these, whatever it counts in (proc(5), USER_HZ). */
const TICK_MS = 10;

/** Milliseconds, in steps of 10. Throws an Error where there is no such process, or no /proc. */
export function cpuTimeMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is a name in brackets and may hold anything; utime, stime, cutime and cstime are fields 14 to 17.
  const ticks = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) * TICK_MS;
}
