// State directory of a local cloud: its processes, its secrets, and the description that `earshot` reads.
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
  /** The `npm start` process. */
  launcher: processIdSchema,
  /** Leaders of the process groups that the launcher started. */
  children: z.array(processIdSchema),
});

const secretsSchema = z.object({ token: z.string(), origin: z.string() });
export type Secrets = z.infer<typeof secretsSchema>;

/** The processes of this state directory that still run. A killed launcher leaves its children running. */
export function findRunning(directory: string): { launcher: ProcessId | undefined; children: ProcessId[] } {
  const processes = readProcesses(directory);
  return {
    launcher: processes !== undefined && isRunning(processes.launcher) ? processes.launcher : undefined,
    children: processes?.children.filter(isRunning) ?? [],
  };
}

/** Records this process as the launcher. */
export function recordLauncher(directory: string): void {
  const launcher = identifyProcess(process.pid);
  if (launcher === undefined) throw new Error(`no process ${process.pid} in the process table`);
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

/** The secrets are kept between starts, so that tokens stay valid. */
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

/** Removes the files of a cloud that has ended, except for its secrets. */
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
