// The erasures in the manifest itself, for readers that know no documents: the newest ones.
import { KEEP_ERASURE_MS } from '../../shared/domain/effects/erasure-document.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';

/** Beside the documents, which have every erasure. */
export const MAX_IN_MANIFEST = 500;

/** The newest of `all`, each user once with the latest moment, without those that are over. */
export function newestErasures(all: Manifest['erasures'], nowMs: number, max = MAX_IN_MANIFEST): Manifest['erasures'] {
  const latest = new Map<string, Manifest['erasures'][number]>();
  for (const erasure of all) {
    const known = latest.get(erasure.userHash);
    if (erasure.atMs > nowMs - KEEP_ERASURE_MS && (known === undefined || known.atMs < erasure.atMs))
      latest.set(erasure.userHash, erasure);
  }
  return [...latest.values()].sort((a, b) => b.atMs - a.atMs).slice(0, max);
}
