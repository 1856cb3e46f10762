// The receipt of a load: one row per (surface, variant, generation) beside the manifest. Publishing requires a complete
// one, so a generation that was loaded partly or never cannot go live.
import { z } from 'zod';
import { newestControlCell, readRows } from '../../origin/bigtable/read-rows.ts';
import { describeIssues } from '../../shared/domain/describe-issues.ts';
import { formatGeneration, parseGeneration } from '../../shared/domain/generation.ts';
import type { Name } from '../../shared/domain/ids.ts';
import { makeListQualifier, makeLoadRowKey, makeLoadRowKeyPrefix, TABLES } from '../../shared/domain/keys.ts';
import type { ControlTable } from './control-table.ts';
import { withRetries } from './retry.ts';

/** Parsing keeps unknown fields: a newer `earshot` may write them. */
const receiptSchema = z.looseObject({
  /** `loading` until the last list is written. A load that died stays `loading`. */
  state: z.enum(['loading', 'loaded']),
  lists: z.int().nonnegative(),
  rejected: z.int().nonnegative(),
  /** Differs for every load, so that two loads of one generation know their own receipt. */
  loader: z.string().optional(),
  /** `user@host, process 123`. */
  by: z.string().optional(),
});

export type LoadReceipt = z.infer<typeof receiptSchema>;

export interface Load {
  readonly surface: Name;
  readonly variant: Name;
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

/** `home/control 2026-11-22T03:00:00.000Z`. */
export const nameLoad = ({ surface, variant, generation }: Load): string =>
  `${makeListQualifier(surface, variant)} ${formatGeneration(generation)}`;

export interface StoredReceipt {
  readonly receipt: LoadReceipt;
  readonly value: Buffer;
  /** A running load writes its receipt again every few seconds. */
  readonly writtenAtMs: number;
}

export interface RecordedLoad extends LoadReceipt {
  /** Milliseconds since the epoch. */
  readonly generation: number;
}

/** The loads of a variant that have written something, oldest generation first. Throws an EarshotError. */
export async function listLoads(
  control: ControlTable,
  { surface, variant }: Omit<Load, 'generation'>,
): Promise<RecordedLoad[]> {
  const prefix = makeLoadRowKeyPrefix(surface, variant);
  const rows = await readReceipts(control, {
    rowRanges: [{ startKeyClosed: Buffer.from(prefix), endKeyOpen: Buffer.from(`${prefix}~`) }],
  });
  return rows.flatMap(({ key, stored }) => {
    const generation = parseGeneration(key.slice(prefix.length));
    return generation === undefined ? [] : [{ generation, ...stored.receipt }];
  });
}

/** Throws an EarshotError. */
export async function readReceipt(control: ControlTable, load: Load): Promise<StoredReceipt | undefined> {
  const key = makeLoadRowKey(load.surface, load.variant, load.generation);
  const [row] = await readReceipts(control, { rowKeys: [Buffer.from(key)] });
  return row?.stored;
}

type Rows = Parameters<typeof readRows>[1]['rows'];

async function readReceipts(control: ControlTable, rows: Rows): Promise<{ key: string; stored: StoredReceipt }[]> {
  const { bigtable, appProfile, retries } = control;
  const read = await withRetries(retries, (timeoutMs) =>
    readRows(bigtable, { table: TABLES.control, appProfile, rows, filter: newestControlCell, timeoutMs }),
  );
  return read.flatMap(({ key, cells: [cell] }) =>
    cell === undefined ? [] : [{ key: key.toString('latin1'), stored: parseReceipt(key.toString('latin1'), cell) }],
  );
}

function parseReceipt(
  key: string,
  { value, timestampMicros }: { value: Buffer; timestampMicros: number },
): StoredReceipt {
  const parsed = receiptSchema.safeParse(parseJson(value.toString('utf8')));
  if (parsed.success) return { receipt: parsed.data, value, writtenAtMs: timestampMicros / 1000 };
  throw new Error(`expected the row ${key} of the control table to be a receipt: ${describeIssues(parsed.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
