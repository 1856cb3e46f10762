// Google's own Bigtable emulator, where gcloud has installed it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { findFreePorts } from '../../dev/ports.ts';
import type { Cleanup } from './cleanup.ts';

/** Starts it on a free port: `host:port`, or undefined where it is not installed. */
export async function startGoogleEmulator(cleanup: Cleanup): Promise<string | undefined> {
  const path = await findEmulator();
  if (path === undefined) return undefined;
  const [port] = await findFreePorts(1);
  const child = spawn(path, ['-host', '127.0.0.1', '-port', String(port)], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  cleanup.add(async () => {
    child.kill();
    await exited;
  });
  const listening = once(createInterface(child.stdout), 'line');
  await Promise.race([listening, exited.then(() => Promise.reject(new Error(`${path} ended at its start`)))]);
  return `127.0.0.1:${port}`;
}

async function findEmulator(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('gcloud', ['info', '--format=value(installation.sdk_root)']);
    const path = `${stdout.trim()}/platform/bigtable-emulator/cbtemulator`;
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
