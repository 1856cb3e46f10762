// Ids of users or items, as arguments or in a file with one id a line.
import { readFileSync } from 'node:fs';
import { ID_GRAMMAR, isPublicId, toUserId, type UserId } from '../../shared/domain/ids.ts';
import { UsageError } from './usage-error.ts';

export interface IdFlags {
  readonly file?: string;
}

/** Each id once, in order. `-` is standard input. Throws a UsageError for none, too many, or a wrong one. */
export function readIds(given: readonly string[], { file }: IdFlags, max: number): UserId[] {
  const lines = file === undefined ? [] : readText(file).split(/\r?\n/);
  const ids = [...new Set([...given, ...lines.map((line) => line.trim()).filter((line) => line !== '')])];
  if (ids.length === 0) throw new UsageError('expected at least one id, or --file with one id a line, got none');
  if (ids.length > max) throw new UsageError(`expected at most ${max} ids in one call, got ${ids.length}`);
  const wrong = ids.find((id) => !isPublicId(id));
  if (wrong !== undefined) throw new UsageError(`expected ids to be ${ID_GRAMMAR}, got ${JSON.stringify(wrong)}`);
  return ids.map(toUserId);
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new UsageError(`expected --file to be a readable file, got ${file} (${(error as Error).message})`);
  }
}
