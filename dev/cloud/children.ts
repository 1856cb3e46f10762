// Child processes of the local cloud. Each child leads its own process group, so that its descendants end with it. The
// unexpected end of a child is reported immediately.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, pause } from '../../shared/runtime/clock.ts';

export interface ChildSpec {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Children {
  /** Starts `node args...` with its output in `NAME.log`. */
  start(spec: ChildSpec): void;
  /** Rejects when a child ends that was not stopped. */
  readonly failure: Promise<never>;
  /** Ends all children. Resolves when every process has ended. */
  stop(): Promise<void>;
}

interface ChildrenOptions {
  readonly logDirectory: string;
  readonly clock: Clock;
  /** Called with the process id of every started child. */
  readonly onStart: (pid: number) => void;
}

const GRACE_MS = 5000;
const POLL_MS = 20;

export function createChildren({ logDirectory, clock, onStart }: ChildrenOptions): Children {
  const pids: number[] = [];
  let isStopping = false;
  let fail: (error: Error) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Prevents an unhandled rejection while no caller awaits it.
  failure.catch(() => undefined);

  function start({ name, args, env }: ChildSpec): void {
    if (isStopping) throw new Error(`expected ${name} to start before the cloud stops`);
    mkdirSync(logDirectory, { recursive: true });
    const logFile = join(logDirectory, `${name}.log`);
    const log = openSync(logFile, 'w');
    const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log], env: { ...env } });
    closeSync(log);
    child.once('error', (error) => fail(new Error(`cannot start ${name}: ${error.message}`)));
    child.once('exit', (code, signal) => {
      if (isStopping) return;
      fail(new Error(`${name} ended unexpectedly (${signal ?? `exit code ${code}`}): ${lastLine(logFile)}`));
    });
    if (child.pid === undefined) return;
    pids.push(child.pid);
    onStart(child.pid);
  }

  return {
    start,
    failure,
    stop: async () => {
      isStopping = true;
      await Promise.all(pids.map((pid) => endGroup(pid, clock)));
    },
  };
}

/** Ends a process group; kills it after GRACE_MS. Resolves when every process of the group has ended. */
export async function endGroup(pid: number, clock: Clock): Promise<void> {
  signalGroup(pid, 'SIGTERM');
  const cancel = clock.setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS);
  // Bounds the wait: zombies remain where no process reaps them.
  const untilMs = clock.now() + 2 * GRACE_MS;
  while (signalGroup(pid, 0) && clock.now() < untilMs) await pause(clock, POLL_MS);
  cancel();
}

/** Whether the group has a process to signal. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function lastLine(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n');
  return `${lines.at(-1) || 'no output'} (${logFile})`;
}
