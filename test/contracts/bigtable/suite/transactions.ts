// Part of the Bigtable contract: check-and-mutate and read-modify-write on one row.
import { describe, expect, test } from 'vitest';
import { gaxOptions, readCells } from '../clients.ts';
import { type Context, cell, row, T1, T2 } from './context.ts';

export function transactionsContract(context: Context): void {
  describe('single-row transactions', () => {
    test('a check-and-mutate writes the one side or the other, by whether a cell passes', async () => {
      const { table, tableName } = await context.createTable();
      await table.insert([row('manifest', { m: { version: cell('17', T1) } })], gaxOptions);
      const onVersion = (version: string, next: string) =>
        table.row('manifest').filter([{ column: 'version' }, { value: version }] as never, {
          onMatch: [{ method: 'insert', data: { m: { version: { value: next, timestamp: T2 * 1000 } } } }] as never,
          onNoMatch: [{ method: 'insert', data: { l: { refused: { value: next, timestamp: T1 * 1000 } } } }] as never,
          gaxOptions,
        });
      expect(await onVersion('17', '18')).toEqual([true, expect.anything()]);
      expect(await onVersion('99', '100')).toEqual([false, expect.anything()]);
      const cells = await readCells(context.data, { tableName });
      expect(cells.map(({ column, value }) => `${column}=${value}`).sort()).toEqual([
        'l:refused=100',
        'm:version=17',
        'm:version=18',
      ]);
    });

    test('without a filter it checks whether the row has any cell', async () => {
      const { data } = context;
      const { tableName } = await context.createTable();
      const setCell = {
        familyName: 'l',
        columnQualifier: Buffer.from('q'),
        timestampMicros: T1 * 1000,
        value: Buffer.from('v'),
      };
      const request = { tableName, rowKey: Buffer.from('k'), falseMutations: [{ setCell }] };
      expect((await data.checkAndMutateRow(request, gaxOptions))[0].predicateMatched).toBe(false);
      expect((await data.checkAndMutateRow(request, gaxOptions))[0].predicateMatched).toBe(true);
    });

    test('a read-modify-write counts and appends, and answers what it wrote', async () => {
      const { table, tableName } = await context.createTable();
      expect((await table.row('k').increment('m:count', 40, gaxOptions))[0]).toBe(40);
      expect((await table.row('k').increment('m:count', 2, gaxOptions))[0]).toBe(42);
      await table.row('k').createRules([{ column: 'm:log', append: 'a' }], gaxOptions);
      await table.row('k').createRules([{ column: 'm:log', append: 'b' }], gaxOptions);
      const newest = {
        chain: { filters: [{ columnQualifierRegexFilter: Buffer.from('log') }, { cellsPerColumnLimitFilter: 1 }] },
      };
      expect(
        (await readCells(context.data, { tableName, filter: newest })).map(({ value }) => value.toString()),
      ).toEqual(['ab']);
    });
  });
}
