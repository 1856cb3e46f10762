// Which processes of this machine belong to something, told by what stands in their command line or environment.
import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** The living processes whose command line or environment holds `text`. Linux only: it reads /proc. */
export function findProcesses(text: string): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const command = readProc(pid, 'cmdline');
      const mentions = command.includes(text) || readProc(pid, 'environ').includes(text);
      // A zombie has neither; whoever is dead runs no more.
      return mentions ? [{ pid: Number(pid), command: command.replaceAll('\0', ' ').trim() }] : [];
    });
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
