// Part of the Bigtable contract: versions and the filters that select them.
import { describe, expect, test } from 'vitest';
import { codeOf, gaxOptions, readCells } from '../clients.ts';
import { type Context, cell, row, T1, T2, T3 } from './context.ts';

export function filtersContract(context: Context): void {
  describe('versions and filters', () => {
    async function createVersionedTable() {
      const created = await context.createTable();
      await created.table.insert(
        [
          row('u1', {
            l: { 'home/control': cell('u1 home 1', T1), 'home/knn': cell('u1 knn 1', T1) },
            m: { json: cell('{}', T1) },
          }),
          row('u1', { l: { 'home/control': cell('u1 home 3', T3) } }),
          row('u1', { l: { 'home/control': cell('u1 home 2', T2) } }),
          row('u2', { l: { 'home/control': cell('u2 home 1', T1) } }),
          row('u3', { l: { 'home/control': cell('u3 home 3', T3) } }),
        ],
        gaxOptions,
      );
      return created;
    }

    /** Earshot's filter for reads of lists. */
    const newestAtOrBefore = (atMs: number) => ({
      chain: {
        filters: [
          { familyNameRegexFilter: 'l' },
          { columnQualifierRegexFilter: Buffer.from('home/control') },
          { timestampRangeFilter: { endTimestampMicros: (atMs + 1) * 1000 } },
          { cellsPerColumnLimitFilter: 1 },
        ],
      },
    });

    const valuesOf = async (tableName: string, filter: object) =>
      (await readCells(context.data, { tableName, filter })).map(({ value }) => value.toString());

    test('cells of a column come newest first, whatever order they were written in', async () => {
      const { tableName } = await createVersionedTable();
      const filter = { columnQualifierRegexFilter: Buffer.from('home/control') };
      const cells = await readCells(context.data, { tableName, rows: { rowKeys: [Buffer.from('u1')] }, filter });
      expect(cells.map(({ micros }) => micros / 1000)).toEqual([T3, T2, T1]);
    });

    test('the newest cell at or before a generation is read, and rows that have none are left out', async () => {
      const { tableName } = await createVersionedTable();
      expect(await valuesOf(tableName, newestAtOrBefore(T1 - 1))).toEqual([]);
      expect(await valuesOf(tableName, newestAtOrBefore(T1))).toEqual(['u1 home 1', 'u2 home 1']);
      expect(await valuesOf(tableName, newestAtOrBefore(T2))).toEqual(['u1 home 2', 'u2 home 1']);
      expect(await valuesOf(tableName, newestAtOrBefore(T3))).toEqual(['u1 home 3', 'u2 home 1', 'u3 home 3']);
    });

    test('the high-level client\u2019s filters choose families, columns, times and newest cells', async () => {
      const { table } = await createVersionedTable();
      const read = async (filter: object[]) => {
        const [rows] = await table.getRows({ filter, gaxOptions });
        return rows.map(({ data }) => JSON.stringify(data, (key, value) => (key === 'labels' ? undefined : value)));
      };
      expect(await read([{ family: 'm' }])).toEqual([`{"m":{"json":[{"value":"{}","timestamp":"${T1}000"}]}}`]);
      const latest = [{ family: 'l' }, { column: { name: 'home/control', cellLimit: 1 } }, { row: 'u1' }];
      expect(await read(latest)).toEqual([`{"l":{"home/control":[{"value":"u1 home 3","timestamp":"${T3}000"}]}}`]);
      expect(await read([{ time: { start: new Date(T3), end: new Date(T3 + 1) } }, { row: /u[12]/ }])).toHaveLength(1);
    });

    test('a regex matches the whole qualifier, key or value, and bytes beyond ASCII as they are', async () => {
      const { table, tableName } = await createVersionedTable();
      await table.insert([row('u9', { l: { 'caf\u00e9': cell('line 1\nline 2', T1) } })], gaxOptions);
      expect(await valuesOf(tableName, { columnQualifierRegexFilter: Buffer.from('home') })).toEqual([]);
      expect(await valuesOf(tableName, { columnQualifierRegexFilter: Buffer.from('home/.*n') })).toEqual(['u1 knn 1']);
      expect(await valuesOf(tableName, { rowKeyRegexFilter: Buffer.from('u[2]') })).toEqual(['u2 home 1']);
      expect(await valuesOf(tableName, { valueRegexFilter: Buffer.from('u[23] home \\d') })).toHaveLength(2);
      expect(await valuesOf(tableName, { columnQualifierRegexFilter: Buffer.from('caf\u00e9') })).toHaveLength(1);
      expect(await valuesOf(tableName, { valueRegexFilter: Buffer.from('line.*') })).toEqual([]);
      expect(await valuesOf(tableName, { valueRegexFilter: Buffer.from('line\\C*') })).toHaveLength(1);
    });

    test('a malformed regex and a chain of one are INVALID_ARGUMENT', async () => {
      const { tableName } = await createVersionedTable();
      for (const filter of [
        { rowKeyRegexFilter: Buffer.from('u(') },
        { chain: { filters: [{ passAllFilter: true }] } },
      ]) {
        expect(await codeOf(readCells(context.data, { tableName, filter }))).toBe(3);
      }
    });

    test('ranges of columns have open and closed ends', async () => {
      const { tableName } = await createVersionedTable();
      const columns = {
        familyName: 'l',
        startQualifierOpen: Buffer.from('home/control'),
        endQualifierClosed: Buffer.from('home/knn'),
      };
      expect(await valuesOf(tableName, { columnRangeFilter: columns })).toEqual(['u1 knn 1']);
    });

    test('limits of cells count in the order of the answer', async () => {
      const { tableName } = await createVersionedTable();
      const ofFirst = (filter: object) => ({
        chain: { filters: [{ rowKeyRegexFilter: Buffer.from('u1') }, { familyNameRegexFilter: 'l' }, filter] },
      });
      expect(await valuesOf(tableName, ofFirst({ cellsPerRowLimitFilter: 2 }))).toEqual(['u1 home 3', 'u1 home 2']);
      expect(await valuesOf(tableName, ofFirst({ cellsPerColumnLimitFilter: 2 }))).toEqual([
        'u1 home 3',
        'u1 home 2',
        'u1 knn 1',
      ]);
    });

    test('pass, block, interleave and strip do what they say', async () => {
      const { tableName } = await createVersionedTable();
      expect(await valuesOf(tableName, { passAllFilter: true })).toHaveLength(7);
      expect(await valuesOf(tableName, { blockAllFilter: true })).toEqual([]);
      const knn = { columnQualifierRegexFilter: Buffer.from('home/knn') };
      const json = { familyNameRegexFilter: 'm' };
      expect((await valuesOf(tableName, { interleave: { filters: [json, knn] } })).sort()).toEqual(['u1 knn 1', '{}']);
      expect(await valuesOf(tableName, { chain: { filters: [knn, { stripValueTransformer: true }] } })).toEqual(['']);
    });
  });
}
