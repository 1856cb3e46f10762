// `npm start`: runs the local cloud until Ctrl-C, or with --detach until `npm stop`. On failure it prints one line and
// exits with a non-zero code.
import { join } from 'node:path';
import { systemClock } from '../shared/runtime/clock.ts';
import { type ReadyMessage, startDetached } from './cloud/detach.ts';
import { startLocalCloud } from './cloud/local-cloud.ts';
import { parseStartOptions, type StartOptions } from './cloud/options.ts';
import { clearState, findRunning, recordLauncher } from './cloud/state.ts';
import { describeCloud } from './cloud/welcome.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

class Interrupted extends Error {}

process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  let options: StartOptions | undefined;
  try {
    options = parseStartOptions(args);
  } catch (error) {
    return report(error, EXIT_USAGE);
  }
  if (options === undefined) return 0;
  const { launcher, children } = findRunning(options.stateDirectory);
  if (launcher !== undefined) {
    return report(
      new Error(`a local cloud is already running (process ${launcher.pid}): stop it with \`npm stop\``),
      EXIT_FAILED,
    );
  }
  if (children.length > 0) {
    const pids = children.map(({ pid }) => pid).join(', ');
    return report(
      new Error(`processes of an earlier start still run (${pids}): stop them with \`npm stop\``),
      EXIT_FAILED,
    );
  }
  return options.detach ? startDetached(args, options.stateDirectory) : runUntilInterrupted(options);
}

async function runUntilInterrupted(options: StartOptions): Promise<number> {
  const { stateDirectory } = options;
  recordLauncher(stateDirectory);
  const { interrupt, interrupted } = onInterrupt();
  try {
    const cloud = await startLocalCloud(options, { clock: systemClock, interrupted });
    try {
      const isDetached = process.send !== undefined;
      const howToEnd = isDetached ? '`npm stop` ends it.' : 'Ctrl-C ends it.';
      const welcome = await describeCloud(cloud, { howToEnd, logs: join(stateDirectory, 'logs') });
      if (isDetached) sendReady({ welcome }, interrupt);
      else process.stdout.write(welcome);
      return await Promise.race([cloud.failure, interrupted]);
    } finally {
      await cloud.stop();
    }
  } catch (error) {
    return error instanceof Interrupted ? 0 : report(error, EXIT_FAILED);
  } finally {
    clearState(stateDirectory);
  }
}

/** Rejects when the process gets a signal or its parent has disconnected. */
function onInterrupt(): { interrupt: () => void; interrupted: Promise<never> } {
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  interrupted.catch(() => undefined);
  const interrupt = (): void => reject(new Interrupted());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  for (const output of [process.stdout, process.stderr]) output.on('error', interrupt);
  process.once('disconnect', interrupt);
  return { interrupt, interrupted };
}

/** Sends the ready message. The parent disconnects after it. If the message cannot be sent, the cloud stops. */
function sendReady(message: ReadyMessage, interrupt: () => void): void {
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
