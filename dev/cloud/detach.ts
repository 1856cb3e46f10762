// `npm start -- --detach`: runs the local cloud in a process of its own and waits until it is ready or has failed.
import { spawn } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory, openPrivate } from '../../ops/cli/state-file.ts';
import { createProgress } from './progress.ts';

/** Sent by the detached process: the steps of its start, then the welcome when the cloud is ready. */
export type StartMessage = { readonly step: string } | { readonly welcome: string };

/** Prints the detached process's message. Returns the exit code. */
export async function startDetached(args: readonly string[], stateDirectory: string): Promise<number> {
  makeDirectory(stateDirectory);
  const logFile = join(stateDirectory, 'start.log');
  const log = openPrivate(logFile, 'w');
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
    const progress = createProgress(process.stdout);
    child.on('message', (message: StartMessage) => {
      if ('step' in message) {
        progress.show(message.step);
        return;
      }
      progress.end();
      process.stdout.write(message.welcome);
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.once('exit', (code) => {
      progress.end();
      process.stderr.write(readFileSync(logFile, 'utf8').trimEnd().split('\n').at(-1) ?? '');
      process.stderr.write(`\n`);
      resolve(code || 1);
    });
  });
}
