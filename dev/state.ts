// What a running local cloud leaves in its state directory: its process id, its secrets, and the description that `earshot` finds it by.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LOCAL_CLOUD_FILE, type LocalCloud } from '../ops/settings.ts';
import { MIN_SECRET_BYTES } from '../shared/identity.ts';

const PID_FILE = 'pid';
const SECRETS_FILE = 'secrets.json';
const OWNER_ONLY = 0o600;

const secretsSchema = z.object({ token: z.string(), origin: z.string() });
export type Secrets = z.infer<typeof secretsSchema>;

/** The process id of the local cloud of this state directory; undefined when none is running. */
export function findRunning(directory: string): number | undefined {
  const pid = Number(readOptional(join(directory, PID_FILE)));
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return isAlive(pid) ? pid : undefined;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function writePid(directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, PID_FILE), String(process.pid));
}

/** Kept from start to start, so that a token goes on being valid. */
export function loadSecrets(directory: string): Secrets {
  const path = join(directory, SECRETS_FILE);
  const json = readOptional(path);
  if (json !== undefined) return secretsSchema.parse(JSON.parse(json));
  const makeSecret = () => randomBytes(MIN_SECRET_BYTES).toString('hex');
  const secrets = { token: makeSecret(), origin: makeSecret() };
  writeFileSync(path, JSON.stringify(secrets), { mode: OWNER_ONLY });
  return secrets;
}

export function writeLocalCloud(directory: string, cloud: LocalCloud): void {
  writeFileSync(join(directory, LOCAL_CLOUD_FILE), JSON.stringify(cloud, null, 2), { mode: OWNER_ONLY });
}

export function clearState(directory: string): void {
  rmSync(join(directory, LOCAL_CLOUD_FILE), { force: true });
  rmSync(join(directory, PID_FILE), { force: true });
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
