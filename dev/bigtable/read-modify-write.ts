// The work of a ReadModifyWriteRow call: each rule reads the newest cell of its column, as the rules before it left it, and writes
// a newer one.
import type { Site } from './api/gate.ts';
import { type RowMutation, resolveMutations } from './mutations/mutations.ts';
import { readableCells } from './rows/gc.ts';
import { type Cell, type Column, compareText, toBytes, toText } from './rows/row.ts';
import { rowsOf, type Table } from './rows/table.ts';
import type { ReadModifyWriteRowRequest, ReadModifyWriteRowResponse } from './wire/messages.ts';
import { invalidArgument } from './wire/status.ts';

export function readModifyWrite(
  { rowKey, rules }: ReadModifyWriteRowRequest,
  { instance, cluster, counters }: Site,
  table: Table,
  nowMs: number,
): ReadModifyWriteRowResponse {
  if (rules.length === 0) throw invalidArgument('No rules provided');
  const key = toText(rowKey);
  const before = readableCells(rowsOf(table, cluster).get(key) ?? [], table.families, nowMs * 1000);
  const written = new Map<string, { family: string; qualifier: string; cell: Cell }>();
  const mutations: RowMutation[] = [];
  for (const rule of rules) {
    const { familyName: family } = rule;
    const qualifier = toText(rule.columnQualifier);
    const column = `${family}:${qualifier}`;
    const newest = before.find((cell) => cell.family === family && cell.qualifier === qualifier);
    const previous = written.get(column)?.cell ?? newest;
    // Never older than what it replaces, which may lie in the future.
    const timestampMicros = Math.max(Math.floor(nowMs) * 1000, previous?.timestampMicros ?? 0);
    const setCell = {
      familyName: family,
      columnQualifier: rule.columnQualifier,
      timestampMicros,
      value: apply(rule, previous),
    };
    mutations.push(...resolveMutations(table, [{ mutation: 'setCell', setCell }], nowMs));
    written.set(column, { family, qualifier, cell: { timestampMicros, value: setCell.value } });
  }
  instance.commit(cluster, table, key, mutations);
  counters.rowsWritten++;
  return {
    row: toRow(
      rowKey,
      [...written.values()].map(({ family, qualifier, cell }) => ({ family, qualifier, cells: [cell] })),
    ),
  };
}

function apply(rule: ReadModifyWriteRowRequest['rules'][number], previous: Cell | undefined): Buffer {
  if (rule.appendValue !== undefined) return Buffer.concat([previous?.value ?? Buffer.alloc(0), rule.appendValue]);
  if (rule.incrementAmount === undefined) throw invalidArgument('Rule must be set');
  if (previous !== undefined && previous.value.length !== 8)
    throw invalidArgument('Increment on a value that is not 64 bits');
  const sum = (previous?.value.readBigInt64BE() ?? 0n) + BigInt(rule.incrementAmount);
  const value = Buffer.alloc(8);
  value.writeBigInt64BE(BigInt.asIntN(64, sum));
  return value;
}

function toRow(key: Buffer, columns: Column[]): ReadModifyWriteRowResponse['row'] {
  const families = Map.groupBy(
    columns.sort((a, b) => compareText(a.qualifier, b.qualifier)),
    (column) => column.family,
  );
  return {
    key,
    families: [...families]
      .sort(([a], [b]) => compareText(a, b))
      .map(([name, ofFamily]) => ({
        name,
        columns: ofFamily.map(({ qualifier, cells }) => ({ qualifier: toBytes(qualifier), cells: [...cells] })),
      })),
  };
}
