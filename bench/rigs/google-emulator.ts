// Google's Bigtable emulator from a gcloud installation: the reference of conformance tests and benchmarks.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { findFreePorts } from '../support/free-ports.ts';

export interface GoogleEmulator {
  /** `host:port`. */
  readonly endpoint: string;
  /** Resolves when the process has ended. */
  stop(): Promise<void>;
}

/** Path of the emulator's binary; undefined if it is not installed. */
export async function findGoogleEmulator(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('gcloud', ['info', '--format=value(installation.sdk_root)']);
    const path = `${stdout.trim()}/platform/bigtable-emulator/cbtemulator`;
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Resolves when the emulator listens on a free port. Throws an Error if it ends first. */
export async function startGoogleEmulator(path: string): Promise<GoogleEmulator> {
  const [port] = await findFreePorts(1);
  const child = spawn(path, ['-host', '127.0.0.1', '-port', String(port)], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  const listening = once(createInterface(child.stdout), 'line');
  await Promise.race([
    listening,
    exited.then(() => Promise.reject(new Error(`expected ${path} to start, but it ended`))),
  ]);
  return {
    endpoint: `127.0.0.1:${port}`,
    stop: async () => {
      child.kill();
      await exited;
    },
  };
}
