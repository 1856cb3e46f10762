// Saves the recovery file. It is written until the instance has not changed meanwhile, so of two commands that save at
// once none leaves a file without the erasure of the other.
import { instanceIdOf } from '../../origin/bigtable/manifest-row.ts';
import { documentsOf } from '../../shared/domain/effects/documents.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import type { UserRef } from '../cli/user-ref.ts';
import { readStored } from '../effects/documents.ts';
import { listErasures } from '../effects/erasure-record.ts';
import { readKeepOut } from '../effects/keep-out.ts';
import type { Origins } from '../manifest/served-manifests.ts';
import { readLive } from '../release/live.ts';
import { keyCheckOf, type RecoveryFile, writeRecoveryFile } from './recovery-file.ts';

export interface SaveOptions {
  readonly path: string;
  readonly userRef: UserRef;
  readonly origins: Origins | undefined;
}

const MAX_ATTEMPTS = 10;

/** Throws an Error if the instance cannot be read, or the file cannot be written. */
export async function saveRecovery(control: ControlTable, options: SaveOptions): Promise<RecoveryFile> {
  let file = await collect(control, options);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    await writeRecoveryFile(options.path, file);
    const now = await collect(control, options);
    if (isSame(file, now)) return file;
    file = now;
  }
  throw new Error(`the instance changed ${MAX_ATTEMPTS} times while ${options.path} was written: save it again`);
}

async function collect(control: ControlTable, { userRef, origins }: SaveOptions): Promise<RecoveryFile> {
  // Before the reads: the file is at least as new as this moment.
  const savedAtMs = control.retries.clock.now();
  const manifest = await readLive(control);
  const documents = [];
  for (const name of documentsOf(manifest)) documents.push({ ...name, json: await readStored(control, name, origins) });
  return {
    format: 1,
    savedAtMs,
    instance: instanceIdOf(control.bigtable),
    keyCheck: keyCheckOf(userRef),
    manifest,
    documents,
    erasures: await listErasures(control),
    keepOut: Object.fromEntries(await readKeepOut(control)),
  };
}

const isSame = (a: RecoveryFile, b: RecoveryFile): boolean =>
  JSON.stringify({ ...a, savedAtMs: 0 }) === JSON.stringify({ ...b, savedAtMs: 0 });
