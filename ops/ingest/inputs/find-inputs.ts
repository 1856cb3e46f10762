// The inputs that the arguments of a load name, in their order.
import { UsageError } from '../../cli/usage-error.ts';
import { findObjects, isCloudStorage } from './cloud-storage.ts';
import { findLocal, openStandardInput, STANDARD_INPUT } from './local.ts';
import type { Source } from './source.ts';

/** Throws an Error for an input that cannot be read, and a UsageError for one that is named twice. */
export async function findInputs(paths: readonly string[]): Promise<Source[]> {
  const sources: Source[] = [];
  for (const path of paths) {
    if (path === STANDARD_INPUT) sources.push(openStandardInput());
    else sources.push(...(await (isCloudStorage(path) ? findObjects(path) : findLocal(path))));
  }
  const names = sources.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`expected each input once, got ${twice} twice`);
  return sources;
}
