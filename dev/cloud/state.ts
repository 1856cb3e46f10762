// What a local cloud leaves in its state directory: its processes, its secrets, and the description that `earshot`
// finds it by.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LOCAL_CLOUD_FILE, type LocalCloud } from '../../ops/cli/settings.ts';
import { MIN_SECRET_BYTES } from '../../shared/domain/identity.ts';
import { devVarsPlace, removeDevVars } from './dev-vars.ts';
import { identifyProcess, isRunning, type ProcessId, processIdSchema } from './process-id.ts';

const PROCESSES_FILE = 'processes.json';
const SECRETS_FILE = 'secrets.json';
const OWNER_ONLY = 0o600;

const processesSchema = z.object({
  /** The one that started the others. */
  launcher: processIdSchema,
  /** Leaders of the process groups that it started. */
  children: z.array(processIdSchema),
});

const secretsSchema = z.object({ token: z.string(), origin: z.string() });
export type Secrets = z.infer<typeof secretsSchema>;

/** The processes of this state directory that still run; a launcher that was killed leaves its children. */
export function findRunning(directory: string): { launcher: ProcessId | undefined; children: ProcessId[] } {
  const processes = readProcesses(directory);
  return {
    launcher: processes !== undefined && isRunning(processes.launcher) ? processes.launcher : undefined,
    children: processes?.children.filter(isRunning) ?? [],
  };
}

/** Records that this process is the launcher. */
export function recordLauncher(directory: string): void {
  const launcher = identifyProcess(process.pid);
  if (launcher === undefined) throw new Error('expected to find this process among those that run');
  mkdirSync(directory, { recursive: true });
  writeProcesses(directory, { launcher, children: [] });
}

export function recordChild(directory: string, pid: number): void {
  const child = identifyProcess(pid);
  const processes = readProcesses(directory);
  if (child !== undefined && processes !== undefined) {
    writeProcesses(directory, { ...processes, children: [...processes.children, child] });
  }
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

/** Removes what a cloud that has ended left; its secrets stay. */
export function clearState(directory: string): void {
  removeDevVars(devVarsPlace(directory));
  rmSync(join(directory, LOCAL_CLOUD_FILE), { force: true });
  rmSync(join(directory, PROCESSES_FILE), { force: true });
}

const readProcesses = (directory: string): z.infer<typeof processesSchema> | undefined => {
  const json = readOptional(join(directory, PROCESSES_FILE));
  return json === undefined ? undefined : processesSchema.parse(JSON.parse(json));
};

const writeProcesses = (directory: string, processes: z.infer<typeof processesSchema>): void =>
  writeFileSync(join(directory, PROCESSES_FILE), JSON.stringify(processes));

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
