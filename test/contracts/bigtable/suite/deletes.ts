// Part of the Bigtable contract: the cells that each kind of delete removes and keeps.
import { describe, expect, test } from 'vitest';
import { gaxOptions, readCells } from '../clients.ts';
import { type Context, cell, ids, row, T1, T2 } from './context.ts';

export function deletesContract(context: Context): void {
  describe('deletes', () => {
    async function createRow() {
      const created = await context.createTable();
      await created.table.insert(
        [
          row('k', { l: { a: cell('a1', T1), b: cell('b1', T1) }, m: { c: cell('c1', T1) } }),
          row('k', { l: { a: cell('a2', T2) } }),
          row('other', { l: { a: cell('kept', T1) } }),
        ],
        gaxOptions,
      );
      const left = async () =>
        (await readCells(context.data, { tableName: created.tableName, rows: { rowKeys: [Buffer.from('k')] } }))
          .map(({ value }) => value.toString())
          .sort();
      return { ...created, left };
    }

    test('a row is deleted whole, and only that one', async () => {
      const { table, left } = await createRow();
      await table.row('k').delete(gaxOptions);
      expect(await left()).toEqual([]);
      expect(ids((await table.getRows({ gaxOptions }))[0])).toEqual(['other']);
    });

    test('a family, a column, or a column\u2019s cells of a time are deleted', async () => {
      const { table, tableName, left } = await createRow();
      const timeRange = { startTimestampMicros: T1 * 1000, endTimestampMicros: (T1 + 1) * 1000 };
      const deleteFromColumn = { familyName: 'l', columnQualifier: Buffer.from('a'), timeRange };
      await context.data.mutateRow(
        { tableName, rowKey: Buffer.from('k'), mutations: [{ deleteFromColumn }] },
        gaxOptions,
      );
      expect(await left()).toEqual(['a2', 'b1', 'c1']);
      await table.row('k').deleteCells(['l:b'], gaxOptions);
      expect(await left()).toEqual(['a2', 'c1']);
      await table.row('k').deleteCells(['l'], gaxOptions);
      expect(await left()).toEqual(['c1']);
    });

    test('mutations of one row are applied in their order', async () => {
      const { tableName, left } = await createRow();
      const set = (value: string) => ({
        setCell: {
          familyName: 'l',
          columnQualifier: Buffer.from('a'),
          timestampMicros: T1 * 1000,
          value: Buffer.from(value),
        },
      });
      const mutations = [set('before'), { deleteFromRow: {} }, set('after')];
      await context.data.mutateRow({ tableName, rowKey: Buffer.from('k'), mutations }, gaxOptions);
      expect(await left()).toEqual(['after']);
    });

    test('rows are dropped by prefix, and all of them at once', async () => {
      const { table } = await context.createTable();
      const rows = ['a#1', 'a#2', 'b#1', 'c#1'].map((key) => row(key, { l: { q: key } }));
      await table.insert(rows, gaxOptions);
      await table.deleteRows('a#', gaxOptions);
      expect(ids((await table.getRows({ gaxOptions }))[0])).toEqual(['b#1', 'c#1']);
      await table.truncate(gaxOptions);
      expect((await table.getRows({ gaxOptions }))[0]).toEqual([]);
    });
  });
}
