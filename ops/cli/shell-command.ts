// Runs one shell command in a process group of its own, with text as its input. The whole group ends with the call, and
// also with this process, however that ends: a guard in the group reads a pipe that closes then.
import { type ChildProcess, spawn } from 'node:child_process';
import { type Clock, pause } from '../../shared/runtime/clock.ts';

export interface ShellOptions {
  readonly input: string;
  readonly timeoutMs: number;
  /** More output ends the command. */
  readonly maxOutputBytes: number;
  readonly clock: Clock;
}

export interface ShellResult {
  readonly output: string;
  /** The reason why the command gave no result. Undefined after exit code 0. */
  readonly failure: string | undefined;
}

export type RunShell = (command: string, options: ShellOptions) => Promise<ShellResult>;

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;
const POLL_MS = 20;

/** `$1` is the command, which does not get the guard's pipe. A subshell in the background has no input of its own. */
const WITH_GUARD = `
(read -r _ <&3; trap '' TERM; kill -TERM 0; sleep ${GRACE_MS / 1000}; kill -KILL 0) >/dev/null 2>&1 &
guard=$!
sh -c "$1" 3<&-
status=$?
kill -KILL "$guard"
wait "$guard" 2>/dev/null
exit "$status"`;

/** Never rejects. Standard error goes to that of this process. */
export async function runShell(command: string, options: ShellOptions): Promise<ShellResult> {
  const { clock, input, timeoutMs } = options;
  const child = spawn('sh', ['-c', WITH_GUARD, 'sh', command], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
  });
  const { promise: failed, resolve: fail } = Promise.withResolvers<string>();
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const read = collectOutput(child, options.maxOutputBytes, fail);
  // A command need not read its input: whether the write then fails depends on which of both is faster.
  for (const pipe of [child.stdin, child.stdio[3]]) pipe?.on('error', () => undefined);
  child.stdin?.end(input);
  const cancel = clock.setTimeout(() => fail(`it gave no result within ${Math.round(timeoutMs / 1000)} s`), timeoutMs);
  const failure = await Promise.race([failed, endOf(child)]);
  cancel();
  if (child.pid !== undefined) await endGroup(child.pid, clock);
  // A process that left the group can hold the pipe open.
  await Promise.race([closed, pause(clock, child.pid === undefined ? 0 : GRACE_MS)]);
  for (const pipe of child.stdio) if (pipe !== null && typeof pipe === 'object') pipe.destroy();
  return { output: read(), failure };
}

function collectOutput(child: ChildProcess, maxBytes: number, fail: (reason: string) => void): () => string {
  const parts: Buffer[] = [];
  let bytes = 0;
  child.stdout?.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes <= maxBytes) parts.push(part);
    else fail(`it wrote more than ${maxBytes} bytes`);
  });
  return () => Buffer.concat(parts).toString('utf8');
}

/** Resolves with the failure, or undefined after exit code 0. */
const endOf = (child: ChildProcess): Promise<string | undefined> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(`it could not be started (${error.message})`));
    child.once('exit', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`);
    });
  });

/** SIGTERM, then SIGKILL after GRACE_MS. Resolves when the group has ended, or after the SIGKILL. */
async function endGroup(group: number, clock: Clock): Promise<void> {
  if (!signalGroup(group, 'SIGTERM')) return;
  const untilMs = clock.monotonicNow() + GRACE_MS;
  while (clock.monotonicNow() < untilMs) {
    await pause(clock, POLL_MS);
    if (!signalGroup(group, 0)) return;
  }
  signalGroup(group, 'SIGKILL');
}

/** Whether the group has a process. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
