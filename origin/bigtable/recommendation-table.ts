// The lists in Bigtable. A read asks for the newest cell at or before its generation, so a user who is missing from a new generation
// keeps the list from the one before. One key's trouble stays its own: the result says per key what became of it.
import { hash } from 'node:crypto';
import { toEarshotError } from '../../shared/errors.ts';
import { FAMILIES, type ListKey, makeListQualifier, makeRowKey, TABLES } from '../../shared/keys.ts';
import type { ListResult } from '../../shared/list-frames.ts';
import type { Row } from './chunk-merger.ts';
import type { BigtableConnection } from './connection.ts';
import { type RowFilter, readRows, rowsOf } from './read-rows.ts';

export interface RecommendationTable {
  /** One result per key, in order. Never rejects: what failed is an `error` result. */
  readLists(keys: readonly ListKey[], timeoutMs: number): Promise<ListResult[]>;
}

export interface RecommendationTableOptions {
  /** Routes the reads, `serve-europe` for example. */
  readonly appProfile: string;
  /** Told of every call that failed, with what it was about. */
  readonly onError: (error: unknown) => void;
  /** Told of every ReadRows call. */
  readonly onCall: () => void;
}

/** More keys in one ReadRows call grow worse than linearly; they go in several, in parallel. */
export const MAX_KEYS_PER_CALL = 100;

export function createRecommendationTable(
  bigtable: BigtableConnection,
  { appProfile, onError, onCall }: RecommendationTableOptions,
): RecommendationTable {
  async function readBatch(batch: readonly IndexedKey[], timeoutMs: number, results: ListResult[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    onCall();
    const rows = rowsOf([...new Set(batch.map(({ key }) => makeRowKey(key.user)))]);
    const filter = newestListAtOrBefore(first.key);
    try {
      const read = await readRows(bigtable, { table: TABLES.recommendations, appProfile, rows, filter, timeoutMs });
      const found = new Map(read.map((row) => [row.key.toString('latin1'), toResult(row)]));
      for (const { key, index } of batch) results[index] = found.get(makeRowKey(key.user)) ?? { kind: 'absent' };
    } catch (error) {
      onError(error);
      const { code } = toEarshotError(error, 'table');
      for (const { index } of batch) results[index] = { kind: 'error', code };
    }
  }

  return {
    readLists: async (keys, timeoutMs) => {
      const results: ListResult[] = new Array(keys.length);
      await Promise.all(groupByFilter(keys).map((batch) => readBatch(batch, timeoutMs, results)));
      return results;
    },
  };
}

interface IndexedKey {
  readonly key: ListKey;
  readonly index: number;
}

/** Keys that one ReadRows call can take together: same surface, variant and generation, at most MAX_KEYS_PER_CALL. */
function groupByFilter(keys: readonly ListKey[]): IndexedKey[][] {
  const groups = new Map<string, IndexedKey[][]>();
  keys.forEach((key, index) => {
    const name = `${key.surface}/${key.variant}/${key.generation}`;
    const batches = groups.get(name) ?? [];
    groups.set(name, batches);
    const last = batches.at(-1);
    if (last === undefined || last.length === MAX_KEYS_PER_CALL) batches.push([{ key, index }]);
    else last.push({ key, index });
  });
  return [...groups.values()].flat();
}

function newestListAtOrBefore({ surface, variant, generation }: ListKey): RowFilter {
  const qualifier = Buffer.from(makeListQualifier(surface, variant));
  return {
    chain: {
      filters: [
        {
          columnRangeFilter: {
            familyName: FAMILIES.lists,
            startQualifierClosed: qualifier,
            endQualifierClosed: qualifier,
          },
        },
        { timestampRangeFilter: { endTimestampMicros: (generation + 1) * 1000 } },
        { cellsPerColumnLimitFilter: 1 },
      ],
    },
  };
}

function toResult({ cells: [cell] }: Row): ListResult {
  if (cell === undefined) return { kind: 'absent' };
  return {
    kind: 'list',
    bytes: cell.value,
    generation: cell.timestampMicros / 1000,
    digest: hash('sha256', cell.value, 'base64url').slice(0, DIGEST_CHARS),
  };
}

/** 96 bits: two lists of one user with the same digest are not to be expected in the life of the universe. */
const DIGEST_CHARS = 16;
