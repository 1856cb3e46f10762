// The root .dev.vars: the local values with which a bare `npx wrangler dev` serves from the local cloud. Only the cloud
// of the default state directory writes it. It never changes a file that `npm start` has not written.
import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { formatEnvFile } from './env-file.ts';

const HEADER = '# Written by `npm start`; removed when the local cloud ends.\n';
/** The file holds secrets. */
const OWNER_ONLY = 0o600;

const repository = join(import.meta.dirname, '../..');

/** A checkout and the state directory of its local cloud. */
export interface DevVarsPlace {
  readonly root: string;
  readonly stateDirectory: string;
}

/** The place for a cloud of this checkout. */
export const devVarsPlace = (stateDirectory: string): DevVarsPlace => ({ root: repository, stateDirectory });

/** `none`: the cloud has another state directory. `foreign`: the existing file is not from `npm start`. */
export type DevVarsOutcome = 'written' | 'foreign' | 'none';

export function writeDevVars(place: DevVarsPlace, variables: Readonly<Record<string, string>>): DevVarsOutcome {
  if (!isDefault(place)) return 'none';
  const path = pathIn(place);
  if (ownerOf(path) === 'person') return 'foreign';
  rmSync(path, { force: true });
  // A new cloud's manifest begins at version 1; the cached one of an earlier cloud has a later version.
  rmSync(join(place.root, '.wrangler/state/v3/cache'), { recursive: true, force: true });
  writeFileSync(path, HEADER + formatEnvFile(variables), { mode: OWNER_ONLY, flag: 'wx' });
  return 'written';
}

export function removeDevVars(place: DevVarsPlace): void {
  if (isDefault(place) && ownerOf(pathIn(place)) === 'npm start') rmSync(pathIn(place));
}

const isDefault = ({ root, stateDirectory }: DevVarsPlace): boolean =>
  resolve(stateDirectory) === resolve(root, '.earshot');

const pathIn = ({ root }: DevVarsPlace): string => join(root, '.dev.vars');

function ownerOf(path: string): 'npm start' | 'person' | 'none' {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 'none';
  return stats.isFile() && readFileSync(path, 'utf8').startsWith(HEADER) ? 'npm start' : 'person';
}
