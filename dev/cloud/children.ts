// The processes of the local cloud. Each is the leader of a process group of its own, so that ending it ends what it
// started, and one that ends by itself is told of at once.
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
  /** Rejects as soon as a child ends that was not stopped. */
  readonly failure: Promise<never>;
  /** Ends all. Resolves when none is left. */
  stop(): Promise<void>;
}

interface ChildrenOptions {
  readonly logDirectory: string;
  readonly clock: Clock;
  /** Told of each process id. */
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
  // Whoever waits for it hears of it; a run in which nobody does must not end the process.
  failure.catch(() => undefined);

  function start({ name, args, env }: ChildSpec): void {
    if (isStopping) throw new Error(`expected to start ${name}, but all is being stopped`);
    mkdirSync(logDirectory, { recursive: true });
    const logFile = join(logDirectory, `${name}.log`);
    const log = openSync(logFile, 'w');
    const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log], env: { ...env } });
    closeSync(log);
    child.once('error', (error) => fail(new Error(`${name} could not be started: ${error.message}`)));
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

/** Ends a process group; whoever has not gone after GRACE_MS is killed. Resolves when none is left. */
export async function endGroup(pid: number, clock: Clock): Promise<void> {
  signalGroup(pid, 'SIGTERM');
  const cancel = clock.setTimeout(() => signalGroup(pid, 'SIGKILL'), GRACE_MS);
  // Where nobody collects the dead they stay for ever.
  const untilMs = clock.now() + 2 * GRACE_MS;
  while (signalGroup(pid, 0) && clock.now() < untilMs) await pause(clock, POLL_MS);
  cancel();
}

/** Whether there was anyone to signal. */
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
  return `${lines.at(-1) || 'it said nothing'} (${logFile})`;
}
