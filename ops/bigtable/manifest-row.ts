// The manifest's row, as the commands see it: every version that the table keeps, also a broken one, and the
// compare-and-set that adds the next. Each version has a note beside it: the command, its author and the reason.
import { findForeign, instanceIdOf } from '../../origin/bigtable/manifest-row.ts';
import { readRows, rowsOf } from '../../origin/bigtable/read-rows.ts';
import { FAMILIES, INSTANCE_QUALIFIER, JSON_QUALIFIER, MANIFEST_ROW_KEY, TABLES } from '../../shared/domain/keys.ts';
import {
  EMPTY_MANIFEST,
  type Manifest,
  manifestSchema,
  parseManifest,
  requireManifestSize,
} from '../../shared/domain/manifest.ts';
import { type ControlTable, compareAndSet, laterThan, type Outcome } from './control-table.ts';
import { withRetries } from './retry.ts';

const NOTE_QUALIFIER = 'note';

/** The reason for a version. Readers of the manifest never see it. */
export interface ManifestNote {
  /** For example `publish home/control 2026-11-22T03:00:00.000Z`. */
  readonly what: string;
  readonly why?: string | undefined;
  /** `user@host`. */
  readonly by?: string | undefined;
}

export interface KeptManifest {
  readonly writtenAtMs: number;
  readonly json: Buffer;
  /** Undefined for a broken version. */
  readonly manifest: Manifest | undefined;
  /** The reason why a version is broken. */
  readonly problem?: string;
  readonly note: ManifestNote | undefined;
  /** Why readers refuse it, if it was written for another instance. */
  readonly foreign?: string | undefined;
}

/** Versions that a writer compares with: enough to notice a row that was set back. */
export const RECENT_VERSIONS = 20;

/** The kept versions, newest write first: all of them, or the newest `limit`. Throws an EarshotError. */
export async function readManifestRow(control: ControlTable, limit?: number): Promise<KeptManifest[]> {
  const { bigtable, appProfile, retries } = control;
  return withRetries(retries, async (timeoutMs) => {
    const [row] = await readRows(bigtable, {
      table: TABLES.control,
      appProfile,
      rows: rowsOf([MANIFEST_ROW_KEY]),
      filter: columnsOf(limit),
      timeoutMs,
    });
    const cells = row?.cells ?? [];
    const notes = new Map(
      cells.flatMap((each) => (isNamed(each, NOTE_QUALIFIER) ? [[each.timestampMicros, parseNote(each.value)]] : [])),
    );
    const instances = new Map(
      cells.flatMap((each) => (isNamed(each, INSTANCE_QUALIFIER) ? [[each.timestampMicros, String(each.value)]] : [])),
    );
    return cells
      .filter((each) => isNamed(each, JSON_QUALIFIER))
      .map(({ value, timestampMicros }) => {
        const instance = instances.get(timestampMicros);
        const foreign = instance === undefined ? undefined : findForeign(bigtable, instance);
        return { ...toKept(value, timestampMicros / 1000, notes.get(timestampMicros)), foreign };
      });
  });
}

const columnsOf = (limit: number | undefined) => {
  const family = { familyNameRegexFilter: FAMILIES.control };
  const columns = {
    columnQualifierRegexFilter: Buffer.from(`${JSON_QUALIFIER}|${NOTE_QUALIFIER}|${INSTANCE_QUALIFIER}`),
  };
  const newest = limit === undefined ? [] : [{ cellsPerColumnLimitFilter: limit }];
  return { chain: { filters: [family, columns, ...newest] } };
};

const isNamed = ({ qualifier }: { readonly qualifier: Buffer }, name: string): boolean => qualifier.toString() === name;

function toKept(json: Buffer, writtenAtMs: number, note: ManifestNote | undefined): KeptManifest {
  try {
    return { writtenAtMs, json, manifest: parseManifest(json.toString('utf8')), note };
  } catch (error) {
    return { writtenAtMs, json, manifest: undefined, problem: (error as Error).message, note };
  }
}

function parseNote(value: Buffer): ManifestNote | undefined {
  try {
    const { what, why, by } = JSON.parse(value.toString('utf8')) as Record<string, unknown>;
    const text = (member: unknown): string | undefined => (typeof member === 'string' ? member : undefined);
    return { what: text(what) ?? '', why: text(why), by: text(by) };
  } catch {
    return undefined;
  }
}

/** The highest version among valid ones; 0 without any. */
export const highestVersion = (kept: readonly KeptManifest[]): number =>
  kept.reduce((highest, { manifest }) => Math.max(highest, manifest?.version ?? 0), 0);

/** The live manifest of a row without trouble; EMPTY_MANIFEST before the first publication. */
export const liveManifest = (kept: readonly KeptManifest[]): Manifest | undefined =>
  kept[0] === undefined ? EMPTY_MANIFEST : kept[0].manifest;

export interface ManifestWrite {
  /** The newest version that the writer read; undefined for a row without versions. */
  readonly read: Pick<KeptManifest, 'writtenAtMs'> | undefined;
  readonly next: Manifest;
  readonly note: ManifestNote;
  readonly nowMs: number;
}

/** As it is stored. Throws a ZodError for a manifest that is not valid. */
export const stringifyManifest = (manifest: Manifest): string => JSON.stringify(manifestSchema.parse(manifest));

/**
 * Writes `next` if the newest version is still `read`. Returns false after a conflict. Throws an EarshotError, a
 * ZodError if `next` is not valid, or an Error if it is too large.
 */
export async function replaceManifest(
  control: ControlTable,
  { read, next, note, nowMs }: ManifestWrite,
): Promise<boolean> {
  const text = stringifyManifest(next);
  requireManifestSize(text);
  const json = Buffer.from(text);
  const readAtMs = read?.writtenAtMs;
  const writtenAtMs = laterThan(readAtMs, nowMs);
  const readOutcome = async (): Promise<Outcome> => {
    const once = { ...control, retries: { ...control.retries, totalMs: 0 } };
    const kept = await readManifestRow(once, RECENT_VERSIONS);
    const own = kept.find((each) => each.writtenAtMs === writtenAtMs);
    if (own?.json.equals(json)) return 'done';
    return kept[0]?.writtenAtMs === readAtMs ? 'not done' : 'overtaken';
  };
  return compareAndSet(
    control,
    {
      rowKey: MANIFEST_ROW_KEY,
      readAtMs,
      writtenAtMs,
      cells: {
        [JSON_QUALIFIER]: json,
        [NOTE_QUALIFIER]: Buffer.from(JSON.stringify(note)),
        [INSTANCE_QUALIFIER]: Buffer.from(instanceIdOf(control.bigtable)),
      },
      what: 'the compare-and-set of the manifest',
    },
    readOutcome,
  );
}
