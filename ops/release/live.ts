// The parts that the steps of a publication share: their dependencies, the live manifest, and the confirmation.
import { EMPTY_MANIFEST, type Manifest } from '../../shared/domain/manifest.ts';
import type { ControlTable } from '../bigtable/control-table.ts';
import { RECENT_VERSIONS, readManifestRow } from '../bigtable/manifest-row.ts';
import { findTrouble } from '../manifest/manifest-trouble.ts';
import type { Origins } from '../manifest/served-manifests.ts';
import { confirmLive } from './confirm.ts';
import type { EdgeSample } from './edge-sample.ts';
import type { checkRelease } from './gate/check-release.ts';
import type { runVerdictCommand } from './verdict-command.ts';

/** A canary and a warm-up hold for this long after their time, so that the publication can move on. */
export const MOVE_ON_MS = 60_000;

export interface PublicationDeps {
  readonly control: ControlTable;
  readonly by: string;
  readonly origins: Origins | undefined;
  /** Regions of the instance. */
  readonly regions: readonly string[];
  readonly sampleEdge: EdgeSample | undefined;
  readonly check: typeof checkRelease;
  readonly runVerdictCommand: typeof runVerdictCommand;
  /** A line for the operator, without a newline. */
  readonly say: (line: string) => void;
  /** How far the step is, for a terminal. */
  readonly progress: (text: string) => void;
}

/** The live manifest. Throws an Error for a row in trouble, or an EarshotError. */
export async function readLive(control: ControlTable): Promise<Manifest> {
  const kept = await readManifestRow(control, RECENT_VERSIONS);
  const trouble = findTrouble(kept, []);
  if (trouble !== undefined) throw new Error(trouble);
  return kept[0]?.manifest ?? EMPTY_MANIFEST;
}

/** Names of the regions that operators have marked as degraded. */
export const degradedRegions = ({ regions = {} }: Manifest, nowMs: number): string[] =>
  Object.entries(regions).flatMap(([name, { degradedUntilMs }]) => (nowMs < degradedUntilMs ? [name] : []));

/** Waits until a version is live, and says so. */
export const confirm = (
  { control, sampleEdge }: PublicationDeps,
  version: number,
  writtenAtMs: number,
): Promise<string> => confirmLive(control, { version, writtenAtMs, exceptRegions: [], sampleEdge });
