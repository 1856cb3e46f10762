// The run of `npm start`, from its arguments to its exit code. A failure is one line on standard error.
import { systemClock } from '../../shared/runtime/clock.ts';
import { type StartMessage, startDetached } from './detach.ts';
import { startLocalCloud } from './local-cloud.ts';
import { parseStartOptions, type StartOptions } from './options.ts';
import { createProgress } from './progress.ts';
import { clearState, findRunning, recordLauncher } from './state.ts';
import { describeCloud } from './welcome.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

class Interrupted extends Error {}

/** Runs until `ending` aborts or the cloud has failed. Returns the exit code: 0 ended, 1 failed, 2 usage error. */
export async function runStart(args: readonly string[], ending: AbortController): Promise<number> {
  try {
    return await main(args, ending);
  } catch (error) {
    return report(error, EXIT_FAILED);
  }
}

async function main(args: readonly string[], ending: AbortController): Promise<number> {
  let options: StartOptions | undefined;
  try {
    options = parseStartOptions(args);
  } catch (error) {
    return report(error, EXIT_USAGE);
  }
  if (options === undefined) return 0;
  requireNothingRunning(options.stateDirectory);
  return options.detach ? startDetached(args, options.stateDirectory) : runUntilInterrupted(options, ending);
}

function requireNothingRunning(stateDirectory: string): void {
  const { launcher, children } = findRunning(stateDirectory);
  if (launcher !== undefined)
    throw new Error(`a local cloud is already running (process ${launcher.pid}): stop it with \`npm stop\``);
  if (children.length === 0) return;
  const pids = children.map(({ pid }) => pid).join(', ');
  throw new Error(`processes of an earlier start still run (${pids}): stop them with \`npm stop\``);
}

async function runUntilInterrupted(options: StartOptions, ending: AbortController): Promise<number> {
  const { stateDirectory } = options;
  const { interrupt, interrupted } = onInterrupt(ending);
  recordLauncher(stateDirectory);
  const progress = createProgress(process.stdout);
  const isDetached = process.send !== undefined;
  const onStep = (step: string): void => {
    progress.show(step);
    if (isDetached) process.send?.({ step } satisfies StartMessage);
  };
  try {
    const cloud = await startLocalCloud(options, { clock: systemClock, interrupted, onStep });
    try {
      const welcome = await describeCloud(cloud, isDetached ? '`npm stop` ends it.' : 'Ctrl-C ends it.');
      progress.end();
      if (isDetached) sendReady({ welcome }, interrupt);
      else process.stdout.write(welcome);
      return await Promise.race([cloud.failure, interrupted]);
    } finally {
      await cloud.stop();
    }
  } catch (error) {
    progress.end();
    return error instanceof Interrupted ? 0 : report(error, EXIT_FAILED);
  } finally {
    clearState(stateDirectory);
  }
}

/** Rejects when `ending` aborts, an output closes, or the parent disconnects. */
function onInterrupt(ending: AbortController): { interrupt: () => void; interrupted: Promise<never> } {
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  interrupted.catch(() => undefined);
  const interrupt = (): void => ending.abort();
  const end = (): void => reject(new Interrupted());
  if (ending.signal.aborted) end();
  ending.signal.addEventListener('abort', end);
  for (const output of [process.stdout, process.stderr]) output.on('error', interrupt);
  process.once('disconnect', interrupt);
  return { interrupt, interrupted };
}

/** Sends the ready message. The parent disconnects after it. If the message cannot be sent, the cloud stops. */
function sendReady(message: StartMessage, interrupt: () => void): void {
  process.off('disconnect', interrupt);
  process.send?.(message, undefined, undefined, (error) => {
    if (error !== null) interrupt();
  });
}

function report(error: unknown, exitCode: number): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`npm start: ${message.replace(/^error: /, '')}\n`);
  return exitCode;
}
