// Memory of the documents that an origin holds: live bytes before and after, with a garbage collection each time.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createDocuments } from '../../origin/manifest/documents.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';

/** Live bytes that an origin needs for `documents` of erasures. */
export async function measureOriginBytes(documents: readonly string[]): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const live = (): number => {
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = live();
  // A copy for each, as a read of Bigtable gives it.
  const held = createDocuments(async ({ version }) => Buffer.from(documents[Number(version)] ?? '').toString());
  const manifest: Manifest = {
    ...{ version: 1, surfaces: {}, erasures: [] },
    documents: { erasures: documents.map((_, i) => String(i)) },
  };
  const { held: parsed } = await held.hold(manifest);
  const bytes = live() - before;
  if (parsed?.erasures.length !== documents.length) throw new Error('expected the origin to hold every document');
  return bytes;
}
