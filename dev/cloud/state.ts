// State directory of a local cloud: its processes, its secrets, and the description that `earshot` reads.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LOCAL_CLOUD_FILE, type LocalCloud } from '../../ops/cli/settings.ts';
import { makeDirectory, readStateFile, writeStateFile } from '../../ops/cli/state-file.ts';
import { MIN_SECRET_BYTES } from '../../shared/domain/identity.ts';
import { identifyProcess, isRunning, type ProcessId, processIdSchema } from '../processes/process-id.ts';
import { devVarsPlace, removeDevVars } from './dev-vars.ts';

const PROCESSES_FILE = 'processes.json';
const SECRETS_FILE = 'secrets.json';

const processesSchema = z.object({
  /** The `npm start` process. */
  launcher: processIdSchema,
  /** Leaders of the process groups that the launcher started. */
  children: z.array(processIdSchema),
});

/** An earlier version wrote no key of hashes. */
const secretsSchema = z.object({ token: z.string(), origin: z.string(), hash: z.string().optional() });
export type Secrets = z.infer<typeof secretsSchema> & { readonly hash: string };

/**
 * The processes of this state directory that still run. A launcher that was killed may leave its children running for a
 * moment. Throws an Error for a broken file.
 */
export function findRunning(directory: string): { launcher: ProcessId | undefined; children: ProcessId[] } {
  const processes = readProcesses(directory);
  return {
    launcher: processes !== undefined && isRunning(processes.launcher) ? processes.launcher : undefined,
    children: processes?.children.filter(isRunning) ?? [],
  };
}

/** Records this process as the launcher. Throws an Error if the directory or its files cannot be written. */
export function recordLauncher(directory: string): void {
  makeDirectory(directory);
  rmSync(join(directory, LOCAL_CLOUD_FILE), { force: true });
  recordChildren(directory, []);
}

/** Records the leaders of the process groups that this process has started. */
export function recordChildren(directory: string, pids: readonly number[]): void {
  const launcher = identifyProcess(process.pid);
  if (launcher === undefined) throw new Error(`no process ${process.pid} in the process table`);
  const children = pids.map(identifyProcess).filter((child) => child !== undefined);
  writeStateFile(join(directory, PROCESSES_FILE), { launcher, children });
}

/** The secrets are kept between starts, so that tokens stay valid. Throws an Error for a broken file. */
export function loadSecrets(directory: string): Secrets {
  const path = join(directory, SECRETS_FILE);
  const stored = readStateFile(path, secretsSchema);
  if (stored?.hash !== undefined) return { ...stored, hash: stored.hash };
  const makeSecret = () => randomBytes(MIN_SECRET_BYTES).toString('hex');
  const secrets = { token: makeSecret(), origin: makeSecret(), ...stored, hash: makeSecret() };
  writeStateFile(path, secrets);
  return secrets;
}

export const writeLocalCloud = (directory: string, cloud: LocalCloud): void =>
  writeStateFile(join(directory, LOCAL_CLOUD_FILE), cloud);

/** Removes the files of a cloud that has ended, except for its secrets. */
export function clearState(directory: string): void {
  removeDevVars(devVarsPlace(directory));
  rmSync(join(directory, LOCAL_CLOUD_FILE), { force: true });
  rmSync(join(directory, PROCESSES_FILE), { force: true });
}

const readProcesses = (directory: string): z.infer<typeof processesSchema> | undefined =>
  readStateFile(join(directory, PROCESSES_FILE), processesSchema);
