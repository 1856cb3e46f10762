// The record of a release: one row per (surface, variant, generation) beside the manifest, with its load, its state and
// its history. The manifest is the truth of what is live: a command writes its intent here, then the
// manifest, then the result here. A receipt of an earlier `earshot` (`load#...`) is read as a record.
import { z } from 'zod';
import { newestControlCell, readRows } from '../../origin/bigtable/read-rows.ts';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { isGeneration, parseGeneration } from '../../shared/domain/generation.ts';
import {
  makeLoadRowKey,
  makeLoadRowKeyPrefix,
  makeReleaseRowKey,
  makeReleaseRowKeyPrefix,
  TABLES,
} from '../../shared/domain/keys.ts';
import { ITEMS, type Line, nameRelease, parseRelease, type Release } from '../../shared/domain/release.ts';
import { replaceControlCell } from './control-row.ts';
import type { ControlTable } from './control-table.ts';
import { withRetries } from './retry.ts';

const count = z.int().nonnegative();
const spread = z.looseObject({ p50: z.number(), p99: z.number(), max: z.number() });

/** The lists that a load has written. */
export const summarySchema = z.looseObject({
  /** Lists. */
  lists: count,
  /** Lines that were not loaded. */
  rejects: count,
  /** Items of a list. */
  items: spread,
  /** Bytes of a list in the stored form. */
  bytes: spread,
  /** 16 hex digits: the sum of a hash of each row key and list, so the order of the lines does not matter. */
  checksum: z.string(),
});

export type ReleaseSummary = z.infer<typeof summarySchema>;

const checkpointSchema = z.looseObject({
  /** Valid lines from the first whose cells are stored. */
  lines: count,
  /** A checksum of these lines in their order: other inputs have another one. */
  digest: count,
  /** The last of these lines, for people. */
  file: z.string(),
  line: count,
});

export type Checkpoint = z.infer<typeof checkpointSchema>;

const moment = z.number().refine(isGeneration);

const transitionSchema = z.looseObject({
  /** A state that this build does not know is shown as it is, and nothing is done for it. */
  to: z.string(),
  by: z.string(),
  why: z.string().optional(),
  atMs: moment,
});

export type Transition = z.infer<typeof transitionSchema>;

/** Parsing keeps unknown fields: a newer `earshot` may write them. */
export const recordSchema = z.looseObject({
  format: z.int().positive().default(1),
  state: z.string(),
  /** Differs for every load, so that two loads of one generation know their own record. */
  loader: z.string().optional(),
  /** The loading process: `user@host, process 123`. */
  by: z.string().optional(),
  /** How far a load has come that is under way, or was ended. */
  checkpoint: checkpointSchema.optional(),
  /** Number and sizes of the inputs of such a load. */
  inputs: z.string().optional(),
  /** Lists and rejects so far. `summary` has more once the load is complete. */
  lists: count.default(0),
  rejected: count.default(0),
  summary: summarySchema.optional(),
  /** A dropped release whose every list is deleted: it takes no version of a list. */
  isEmpty: z.boolean().optional(),
  /** Oldest first. */
  transitions: z.array(transitionSchema).default([]),
  /** The step that a command has begun: the manifest says whether it was done. */
  intent: transitionSchema.optional(),
  /** The steps of a publication, so that `--resume` can go on with them. */
  plan: z.looseObject({}).optional(),
});

export type ReleaseRecord = z.infer<typeof recordSchema>;

/** Format of the records that this build writes. */
export const RECORD_FORMAT = 1;
/** Transitions that a record keeps. */
const MAX_TRANSITIONS = 100;

export interface StoredRecord {
  readonly record: ReleaseRecord;
  readonly value: Buffer;
  /** A running load writes its record again every few seconds. Undefined for a receipt of an earlier `earshot`. */
  readonly writtenAtMs: number;
  /** Whether it is such a receipt: the row of the record does not exist yet. */
  readonly isReceipt: boolean;
}

export interface RecordedRelease extends ReleaseRecord {
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

/** The releases of a variant whose load has written something, oldest first. Throws an EarshotError. */
export async function listReleases(control: ControlTable, { surface, variant }: Line): Promise<RecordedRelease[]> {
  const prefixes = [makeLoadRowKeyPrefix(surface, variant), makeReleaseRowKeyPrefix(surface, variant)];
  const rows = await readRecords(control, {
    rowRanges: prefixes.map((prefix) => ({
      startKeyClosed: Buffer.from(prefix),
      endKeyOpen: Buffer.from(`${prefix}~`),
    })),
  });
  const found = new Map<number, RecordedRelease>();
  // Rows sort by key, so a record comes after its receipt.
  for (const { key, stored } of rows) {
    const prefix = prefixes.find((each) => key.startsWith(each)) ?? '';
    const generation = parseGeneration(key.slice(prefix.length));
    if (generation !== undefined) found.set(generation, { ...stored.record, generation });
  }
  return [...found.values()].sort((a, b) => a.generation - b.generation);
}

/** The variants that have a release with a record. Throws an EarshotError. */
export async function listLines(control: ControlTable): Promise<Line[]> {
  const rows = await readRecords(control, {
    rowRanges: ['load#', 'release#'].map((prefix) => ({
      startKeyClosed: Buffer.from(prefix),
      endKeyOpen: Buffer.from(`${prefix}~`),
    })),
  });
  const names = new Set(rows.map(({ key }) => key.split('#')[1] ?? ''));
  return [...names].flatMap((name) => {
    const line = name === `${ITEMS.surface}/${ITEMS.variant}` ? ITEMS : parseRelease(name);
    return line === undefined ? [] : [{ surface: line.surface, variant: line.variant }];
  });
}

/** Throws an EarshotError. */
export async function readRecord(control: ControlTable, release: Release): Promise<StoredRecord | undefined> {
  const { surface, variant, generation } = release;
  const keys = [makeReleaseRowKey(surface, variant, generation), makeLoadRowKey(surface, variant, generation)];
  const rows = await readRecords(control, { rowKeys: keys.map((key) => Buffer.from(key)) });
  return (rows.find(({ key }) => key === keys[0]) ?? rows[0])?.stored;
}

type Rows = Parameters<typeof readRows>[1]['rows'];

async function readRecords(control: ControlTable, rows: Rows): Promise<{ key: string; stored: StoredRecord }[]> {
  const { bigtable, appProfile, retries } = control;
  const read = await withRetries(retries, (timeoutMs) =>
    readRows(bigtable, { table: TABLES.control, appProfile, rows, filter: newestControlCell, timeoutMs }),
  );
  return read.flatMap(({ key, cells: [cell] }) =>
    cell === undefined ? [] : [{ key: key.toString('latin1'), stored: parseRecord(key.toString('latin1'), cell) }],
  );
}

function parseRecord(
  key: string,
  { value, timestampMicros }: { value: Buffer; timestampMicros: number },
): StoredRecord {
  const parsed = recordSchema.safeParse(parseJson(value.toString('utf8')));
  const isReceipt = key.startsWith('load#');
  if (parsed.success) return { record: parsed.data, value, writtenAtMs: timestampMicros / 1000, isReceipt };
  throw new Error(`expected the row ${key} of the control table to be a record: ${describeIssues(parsed.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether lists of the release may be stored. A drop that was killed has left some. */
export const hasLists = ({ state, isEmpty }: ReleaseRecord): boolean => state !== 'dropped' || isEmpty !== true;

/** Whether the load of the release is complete, and its lists were not dropped. */
export const isWhole = ({ state }: ReleaseRecord): boolean => state !== 'loading' && state !== 'dropped';

/** The stored record, or undefined after a conflict. Without `record` the row is deleted. Throws an EarshotError. */
export async function writeRecord(
  control: ControlTable,
  release: Release,
  read: StoredRecord | undefined,
  record: ReleaseRecord | undefined,
): Promise<StoredRecord | undefined> {
  const { surface, variant, generation } = release;
  const value = record === undefined ? undefined : Buffer.from(JSON.stringify(record));
  const writtenAtMs = await replaceControlCell(control, {
    rowKey: makeReleaseRowKey(surface, variant, generation),
    read: read?.isReceipt === true ? undefined : read,
    value,
    what: 'the compare-and-set of the record',
  });
  if (writtenAtMs === undefined) return undefined;
  return {
    record: record ?? recordSchema.parse({ state: 'loading' }),
    value: value ?? Buffer.alloc(0),
    writtenAtMs,
    isReceipt: false,
  };
}

const MAX_ATTEMPTS = 5;

/**
 * Changes the record by compare-and-set, until no other writer interferes. `change` gets undefined for a release
 * without a record. Throws an EarshotError, or an Error after too many conflicts.
 */
export async function updateRecord(
  control: ControlTable,
  release: Release,
  change: (record: ReleaseRecord | undefined) => ReleaseRecord,
): Promise<ReleaseRecord> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const read = await readRecord(control, release);
    const written = await writeRecord(control, release, read, change(read?.record));
    if (written !== undefined) return written.record;
  }
  throw new Error(`other writers changed the record of ${nameRelease(release)} ${MAX_ATTEMPTS} times in a row`);
}

/** The record in state `transition.to`, without an intent. */
export function withTransition(record: ReleaseRecord, transition: Transition): ReleaseRecord {
  const { intent: _, ...rest } = record;
  const transitions = [...record.transitions, transition].slice(-MAX_TRANSITIONS);
  return { ...rest, state: transition.to, transitions };
}
