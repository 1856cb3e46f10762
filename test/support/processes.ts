// Search for processes of this machine by command line or environment.
import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  readonly command: string;
  /** Its process group. */
  readonly group: number;
}

/** The running processes whose command line or environment contains `text`. Linux only: it reads /proc. */
export function findProcesses(text: string): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const command = readProc(pid, 'cmdline');
      const mentions = command.includes(text) || readProc(pid, 'environ').includes(text);
      // A zombie has neither; it counts as ended.
      // The fields after the name, which may contain any character (proc(5)).
      const [, , group] = readProc(pid, 'stat').split(') ').at(-1)?.split(' ') ?? [];
      return mentions
        ? [{ pid: Number(pid), command: command.replaceAll('\0', ' ').trim(), group: Number(group) }]
        : [];
    });
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
