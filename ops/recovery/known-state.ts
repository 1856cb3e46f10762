// Everything that survived the loss of an instance: the recovery file, the memory of origins, and the restored rows.
import { hasDigestOfName, readDocument } from '../../origin/bigtable/document-row.ts';
import { type DocumentName, documentsOf, nameDocument } from '../../shared/domain/effects/documents.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { type KeptManifest, readManifestRow } from '../bigtable/manifest-row.ts';
import { withRetries } from '../bigtable/retry.ts';
import { later, type Segment, toSegment } from '../effects/erasure-segments.ts';
import { findServedDocument } from '../effects/served-documents.ts';
import { type Origins, readServedManifests } from '../manifest/served-manifests.ts';
import type { RecoveryFile } from './recovery-file.ts';

export interface KnownState {
  /** The newest cell of the restored row. */
  readonly kept: KeptManifest;
  readonly restored: Manifest;
  /** The manifests that survived elsewhere. */
  readonly others: readonly Manifest[];
  /** Whether an origin has answered with its manifest. */
  readonly isServed: boolean;
  readonly highestVersion: number;
  readDocument(name: DocumentName): Promise<string>;
}

/** Throws an Error if the restored row has no valid manifest, or an EarshotError. */
export async function readKnownState(
  control: ControlTable,
  file: RecoveryFile,
  origins: Origins | undefined,
): Promise<KnownState> {
  const [all, answers] = await Promise.all([readManifestRow(control), readServedManifests(origins)]);
  const [kept] = all;
  if (kept?.manifest === undefined)
    throw new Error(`expected a manifest in the restored table control, got ${kept?.problem ?? 'none'}`);
  const served = answers.flatMap(({ manifest }) => manifest ?? []);
  const others = [file.manifest, ...served];
  const versions = [...all, ...others.map((manifest) => ({ manifest }))].map(({ manifest }) => manifest?.version ?? 0);
  return {
    kept,
    restored: kept.manifest,
    others,
    isServed: served.length > 0,
    highestVersion: Math.max(...versions),
    readDocument: (name) => findDocument(control, name, file, origins),
  };
}

async function findDocument(
  control: ControlTable,
  name: DocumentName,
  { documents }: RecoveryFile,
  origins: Origins | undefined,
): Promise<string> {
  const saved = documents.find(({ kind, version }) => kind === name.kind && version === name.version)?.json;
  if (saved !== undefined && hasDigestOfName(name, Buffer.from(saved))) return saved;
  const { bigtable, appProfile, retries } = control;
  try {
    return await withRetries(retries, (timeoutMs) => readDocument(bigtable, appProfile, name, timeoutMs));
  } catch (error) {
    if (error instanceof EarshotError) throw error;
    const served = await findServedDocument(control, name, origins);
    if (served !== undefined) return served.json;
    throw new Error(`expected the document ${nameDocument(name)} in the file, the table or an origin, got none`);
  }
}

/** The moment of each erased user in the documents of all manifests; null for a hidden one. */
export async function joinMoments({ restored, others, readDocument: read }: KnownState): Promise<Segment> {
  const moments = new Map<number, number | null>();
  // A later manifest knows how an erasure has gone on.
  for (const manifest of [restored, ...others].sort((a, b) => a.version - b.version)) {
    for (const name of documentsOf(manifest).filter(({ kind }) => kind === 'erasures'))
      for (const [hash, atMs] of toSegment(await read(name))) moments.set(hash, later(moments.get(hash), atMs));
  }
  return moments;
}
