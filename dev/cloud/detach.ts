// `npm start -- --detach`: runs the local cloud in a process of its own and waits until it is ready or has failed.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Sent by the detached process when the cloud is ready. */
export interface ReadyMessage {
  readonly welcome: string;
}

/** Prints the detached process's message. Returns the exit code. */
export async function startDetached(args: readonly string[], stateDirectory: string): Promise<number> {
  mkdirSync(stateDirectory, { recursive: true });
  const logFile = join(stateDirectory, 'start.log');
  const log = openSync(logFile, 'w');
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../start.ts'), ...args.filter((arg) => arg !== '--detach')],
    {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    },
  );
  closeSync(log);
  return new Promise((resolve) => {
    child.once('message', ({ welcome }: ReadyMessage) => {
      process.stdout.write(welcome);
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.once('exit', (code) => {
      process.stderr.write(readFileSync(logFile, 'utf8').trimEnd().split('\n').at(-1) ?? '');
      process.stderr.write(`\n`);
      resolve(code || 1);
    });
  });
}
