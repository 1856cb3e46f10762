// The parts of the local cloud as processes. A part that ends after it was ready is started again, at most
// MAX_FAILED_STARTS times in a row without becoming ready. A part that ends before ends the cloud. A restart that does
// not become ready in time is killed, and counts as failed.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory, openPrivate } from '../../ops/cli/state-file.ts';
import type { PartStatus } from '../../ops/status/part-status.ts';
import { type Clock, pause } from '../../shared/runtime/clock.ts';
import { endGroup, killGroup, membersOf, signalGroup } from './process-groups.ts';
import { lastLine } from './wait.ts';

export interface PartSpec {
  /** `origin/asia`. */
  readonly name: string;
  /** Arguments of Node. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isReady: () => Promise<boolean>;
  /** The reason for which the part is not ready, as it says itself. */
  readonly whyNotReady?: () => Promise<string | undefined>;
  /** Program of helper processes. A part that has lost one and does not serve is started again. */
  readonly helper?: string;
  /** Whether its standard input is a pipe that closes when this process ends. Default: no input. */
  readonly isTied?: boolean;
}

export interface Supervisor {
  /** Starts the part, with its output in a file. Resolves when it is ready for the first time. */
  start(spec: PartSpec): Promise<void>;
  status(): PartStatus[];
  /** Kills the part's processes. Returns whether there is such a part. */
  kill(name: string): boolean;
  logFileOf(name: string): string;
  /** Rejects when a part has ended for good. */
  readonly failure: Promise<never>;
  /** Ends all parts. Resolves when every process has ended. */
  stop(): Promise<void>;
}

interface SupervisorOptions {
  readonly logDirectory: string;
  readonly clock: Clock;
  /** Called with the process ids of all parts after every start. */
  readonly onStart: (pids: readonly number[]) => void;
  /** Time of the first restart until it is ready. Each failed one doubles it. Default RESTART_LIMIT_MS. */
  readonly restartLimitMs?: number;
}

interface Part {
  readonly spec: PartSpec;
  child: ChildProcess | undefined;
  isReady: boolean;
  restarts: number;
  lastEnd: PartStatus['lastEnd'];
}

const MAX_FAILED_STARTS = 5;
const FIRST_RESTART_DELAY_MS = 100;
/** Wrangler waits without end for a workerd that has crashed before it served. */
const RESTART_LIMIT_MS = 30_000;
const READY_POLL_MS = 50;
const HELPER_POLL_MS = 250;
/** Wrangler replaces its workerd after a change of the code, and after a crash. After a crash it may never serve. */
const HELPER_GRACE_MS = 1500;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { logDirectory, clock, onStart, restartLimitMs = RESTART_LIMIT_MS } = options;
  const parts = new Map<string, Part>();
  const { promise: failure, reject: fail } = Promise.withResolvers<never>();
  // Prevents an unhandled rejection while no caller awaits it.
  failure.catch(() => undefined);
  let isStopping = false;
  const logFileOf = (name: string): string => join(logDirectory, `${name.replace('/', '-')}.log`);

  function spawnPart(part: Part): ChildProcess {
    makeDirectory(logDirectory);
    const log = openPrivate(logFileOf(part.spec.name), part.restarts === 0 ? 'w' : 'a');
    const { args, env, isTied } = part.spec;
    const input = isTied ? 'pipe' : 'ignore';
    const child = spawn(process.execPath, args, { detached: true, stdio: [input, log, log], env: { ...env } });
    closeSync(log);
    child.stdin?.on('error', () => undefined);
    part.child = child;
    onStart([...parts.values()].flatMap(({ child: each }) => each?.pid ?? []));
    return child;
  }

  /** Resolves with the reason of the end. Kills the group if it is not ready within `limitMs`. */
  async function runOnce(part: Part, limitMs: number | undefined, onReady: () => void): Promise<string> {
    const child = spawnPart(part);
    const endIfLate = (): void => {
      if (!part.isReady && !isStopping && child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    };
    const cancelLimit = limitMs === undefined ? undefined : clock.setTimeout(endIfLate, limitMs);
    const ended = endOf(child);
    let hasEnded = false;
    void ended.then(() => {
      hasEnded = true;
    });
    void (async () => {
      while (!hasEnded && !isStopping && !(await part.spec.isReady())) await pause(clock, READY_POLL_MS);
      if (hasEnded || isStopping) return;
      part.isReady = true;
      onReady();
      if (part.spec.helper !== undefined) await watchHelpers(child.pid ?? 0, part.spec, () => hasEnded);
    })();
    const reason = await ended;
    cancelLimit?.();
    part.isReady = false;
    if (child.pid !== undefined) await killGroup(child.pid, clock);
    return reason;
  }

  /** Kills the group if a helper has ended, or was replaced, and the part does not serve within HELPER_GRACE_MS. */
  async function watchHelpers(group: number, { helper, isReady }: PartSpec, hasEnded: () => boolean): Promise<void> {
    const list = (): string => {
      const helpers = membersOf(group).filter(({ program }) => program === helper);
      return helpers.map(({ pid }) => pid).join();
    };
    let known = list();
    while (!hasEnded() && !isStopping) {
      await pause(clock, HELPER_POLL_MS);
      if (list() === known) continue;
      const untilMs = clock.now() + HELPER_GRACE_MS;
      let serves = await isReady();
      while (!serves && clock.now() < untilMs) serves = await isReady();
      known = list();
      if (!serves && !hasEnded() && !isStopping) signalGroup(group, 'SIGKILL');
    }
  }

  async function keepRunning(part: Part, onReady: () => void): Promise<void> {
    const { name } = part.spec;
    let failedStarts = 0;
    for (let wasReady = false; !isStopping; part.restarts += 1) {
      // `npm start` itself bounds the first start.
      const limitMs = wasReady ? restartLimitMs * 2 ** failedStarts : undefined;
      const reason = await runOnce(part, limitMs, () => {
        wasReady = true;
        failedStarts = 0;
        onReady();
      });
      if (isStopping) return;
      part.lastEnd = { atMs: clock.now(), reason };
      if (!wasReady || failedStarts === MAX_FAILED_STARTS) {
        fail(new Error(`${name} ended unexpectedly (${reason}): ${lastLine(logFileOf(name))} (${logFileOf(name)})`));
        return;
      }
      await pause(clock, FIRST_RESTART_DELAY_MS * 2 ** failedStarts);
      failedStarts += 1;
    }
  }

  return {
    failure,
    logFileOf,
    start: (spec) => {
      if (isStopping) throw new Error(`expected ${spec.name} to start before the cloud stops`);
      const part: Part = { spec, child: undefined, isReady: false, restarts: 0, lastEnd: undefined };
      parts.set(spec.name, part);
      return new Promise((resolve, reject) => {
        keepRunning(part, resolve).catch(reject);
      });
    },
    status: () =>
      [...parts.values()].map(({ spec, child, isReady, restarts, lastEnd }) => ({
        name: spec.name,
        state: isReady ? 'ready' : 'starting',
        pid: child?.pid,
        restarts,
        lastEnd,
      })),
    kill: (name) => {
      const pid = parts.get(name)?.child?.pid;
      if (pid !== undefined) signalGroup(pid, 'SIGKILL');
      return parts.has(name);
    },
    stop: async () => {
      isStopping = true;
      const pids = [...parts.values()].flatMap(({ child }) => child?.pid ?? []);
      await Promise.all(pids.map((pid) => endGroup(pid, clock)));
    },
  };
}

const endOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
