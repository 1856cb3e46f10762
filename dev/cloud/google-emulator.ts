// Google's own Bigtable emulator, where gcloud has installed it: what conformance tests compare with, and what
// measurements are paired with.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { findFreePorts } from '../ports.ts';

export interface GoogleEmulator {
  /** `host:port`. */
  readonly endpoint: string;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

/** The path of its binary; undefined where it is not installed. */
export async function findGoogleEmulator(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('gcloud', ['info', '--format=value(installation.sdk_root)']);
    const path = `${stdout.trim()}/platform/bigtable-emulator/cbtemulator`;
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Resolves when it listens, on a free port. Throws an Error when it ends before. */
export async function startGoogleEmulator(path: string): Promise<GoogleEmulator> {
  const [port] = await findFreePorts(1);
  const child = spawn(path, ['-host', '127.0.0.1', '-port', String(port)], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  const listening = once(createInterface(child.stdout), 'line');
  await Promise.race([listening, exited.then(() => Promise.reject(new Error(`${path} ended at its start`)))]);
  return {
    endpoint: `127.0.0.1:${port}`,
    stop: async () => {
      child.kill();
      await exited;
    },
  };
}
