// The inputs that the arguments of a load name, in their order.
import { crc32 } from 'node:zlib';
import { formatPlural } from '../../cli/format.ts';
import { UsageError } from '../../cli/usage-error.ts';
import { findObjects, isCloudStorage } from './cloud-storage.ts';
import { findLocal, openStandardInput, STANDARD_INPUT } from './local.ts';
import { type Source, sizeOf } from './source.ts';

/** Throws an Error for an input that cannot be read, and a UsageError for one that is named twice. */
export async function findInputs(paths: readonly string[]): Promise<Source[]> {
  const sources: Source[] = [];
  for (const path of paths) {
    if (path === STANDARD_INPUT) sources.push(openStandardInput());
    else sources.push(...(await (isCloudStorage(path) ? findObjects(path) : findLocal(path))));
  }
  const names = new Set<string>();
  for (const { name } of sources) {
    if (names.has(name)) throw new UsageError(`expected each input once, got ${name} twice`);
    names.add(name);
  }
  return sources;
}

/** `3 files of 1234 bytes, 9f3a2b1c`: equal for inputs with the same sizes in the same order. Undefined for a pipe. */
export function describeSizes(sources: readonly Source[]): string | undefined {
  const bytes = sizeOf(sources);
  if (bytes === undefined) return undefined;
  const sizes = sources.map(({ size }) => size);
  return `${formatPlural(sizes.length, 'file')} of ${bytes} bytes, ${crc32(sizes.join()).toString(16).padStart(8, '0')}`;
}
