// Resolution of a client's mutations, once, in the cluster that commits them: server time is filled in and bytes are
// copied out of the request. Every cluster then applies the same resolved mutations.
import { type Cell, toText } from '../rows/row.ts';
import { type Family, familyNotFound, type Table } from '../rows/table.ts';
import type { Mutation } from '../wire/messages.ts';
import { invalidArgument, unimplemented } from '../wire/status.ts';

export type RowMutation =
  | { kind: 'set'; family: Family; qualifier: string; cell: Cell }
  | { kind: 'delete-column'; family: Family; qualifier: string; startMicros: number; endMicros: number }
  | { kind: 'delete-family'; family: Family }
  | { kind: 'delete-row' };

export const SERVER_TIME = -1;

/** Resolves checked mutations. Throws NOT_FOUND for an unknown family and UNIMPLEMENTED for an unknown kind. */
export function resolveMutations(table: Table, mutations: readonly Mutation[], nowMs: number): RowMutation[] {
  return mutations.map((mutation): RowMutation => {
    switch (mutation.mutation) {
      case 'setCell': {
        const set = required(mutation.setCell);
        return {
          kind: 'set',
          family: familyOf(table, set.familyName),
          qualifier: internQualifier(set.columnQualifier),
          cell: {
            timestampMicros: set.timestampMicros === SERVER_TIME ? Math.floor(nowMs) * 1000 : set.timestampMicros,
            // A slice of the request would keep the whole request in memory for the lifetime of the cell.
            value: Buffer.from(set.value),
          },
        };
      }
      case 'deleteFromColumn': {
        const { familyName, columnQualifier, timeRange } = required(mutation.deleteFromColumn);
        return {
          kind: 'delete-column',
          family: familyOf(table, familyName),
          qualifier: internQualifier(columnQualifier),
          startMicros: timeRange?.startTimestampMicros ?? 0,
          endMicros: timeRange?.endTimestampMicros || Number.POSITIVE_INFINITY,
        };
      }
      case 'deleteFromFamily':
        return { kind: 'delete-family', family: familyOf(table, required(mutation.deleteFromFamily).familyName) };
      case 'deleteFromRow':
        return { kind: 'delete-row' };
      default:
        throw unimplemented(`mutation '${mutation.mutation ?? 'none'}' is not implemented`);
    }
  });
}

function familyOf(table: Table, name: string): Family {
  const family = table.families.get(name);
  if (family === undefined) throw familyNotFound(table.name);
  return family;
}

const qualifiers = new Map<string, string>();

/** Interned qualifiers: a million rows with the same few columns share the same strings. */
function internQualifier(bytes: Buffer): string {
  const qualifier = toText(bytes);
  const known = qualifiers.get(qualifier);
  if (known !== undefined) return known;
  if (qualifiers.size < 10_000 && qualifier.length <= 128) qualifiers.set(qualifier, qualifier);
  return qualifier;
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw invalidArgument('Mutation must be set');
  return value;
}
