// Part of the Bigtable contract: rows of a read and their order.
import { describe, expect, test } from 'vitest';
import { codeOf, gaxOptions, readCells } from '../clients.ts';
import { type Context, cell, ids, row, T1 } from './context.ts';

export function readsContract(context: Context): void {
  describe('reads', () => {
    const KEYS = ['a#1', 'a#2', 'b#1', 'b#2', 'c#1'];

    async function createFilledTable() {
      const created = await context.createTable();
      await created.table.insert(
        KEYS.map((key) => row(key, { l: { q: cell(key.toUpperCase(), T1) } })),
        gaxOptions,
      );
      return created;
    }

    test('a written cell comes back with its column, its time and its value', async () => {
      const { data } = context;
      const { tableName } = await createFilledTable();
      expect(await readCells(data, { tableName, rows: { rowKeys: [Buffer.from('a#1')] } })).toEqual([
        { key: 'a#1', column: 'l:q', micros: T1 * 1000, value: Buffer.from('A#1') },
      ]);
    });

    test('many keys come back in key order, once each, without those that have no row', async () => {
      const { table } = await createFilledTable();
      const keys = ['c#1', 'nobody', 'a#1', 'b#2', 'a#1'];
      expect(ids((await table.getRows({ keys, gaxOptions }))[0])).toEqual(['a#1', 'b#2', 'c#1']);
    });

    test('no row is an empty answer, and a 404 from the client for a single row', async () => {
      const { table } = await createFilledTable();
      expect((await table.getRows({ keys: ['nobody'], gaxOptions }))[0]).toEqual([]);
      expect(await codeOf(table.row('nobody').get([], { gaxOptions }))).toBe(404);
    });

    test('ranges with open and closed ends, prefixes and limits choose rows', async () => {
      const { table } = await createFilledTable();
      const read = async (options: object) => ids((await table.getRows({ ...options, gaxOptions }))[0]);
      expect(await read({ start: 'a#2', end: 'b#2' })).toEqual(['a#2', 'b#1', 'b#2']);
      const open = { start: { value: 'a#2', inclusive: false }, end: { value: 'b#2', inclusive: false } };
      expect(await read({ ranges: [open] })).toEqual(['b#1']);
      expect(await read({ prefix: 'a#' })).toEqual(['a#1', 'a#2']);
      expect(await read({ limit: 2 })).toEqual(['a#1', 'a#2']);
      expect(await read({ start: 'b#2' })).toEqual(['b#2', 'c#1']);
      expect(await read({ end: 'a#1' })).toEqual(['a#1']);
    });

    test('keys and overlapping ranges together give each row once, in order', async () => {
      const { table } = await createFilledTable();
      const ranges = [
        { start: 'a#2', end: 'b#1' },
        { start: 'b#1', end: 'b#2' },
      ];
      const [rows] = await table.getRows({ keys: ['c#1', 'b#1'], ranges, gaxOptions });
      expect(ids(rows)).toEqual(['a#2', 'b#1', 'b#2', 'c#1']);
    });

    test('an inverted range is INVALID_ARGUMENT', async () => {
      const { table } = await createFilledTable();
      expect(await codeOf(table.getRows({ ranges: [{ start: 'b', end: 'a' }], gaxOptions }))).toBe(3);
    });

    test('a whole table of rows comes back complete and in order', async () => {
      const { table } = await context.createTable();
      const keys = Array.from({ length: 2500 }, (_, index) => String(index).padStart(5, '0'));
      const shuffled = keys.map((_, index) => keys[(index * 1117) % keys.length] ?? '');
      await table.insert(
        shuffled.map((key) => row(key, { l: { q: cell(key, T1) } })),
        gaxOptions,
      );
      expect(ids((await table.getRows({ gaxOptions }))[0])).toEqual(keys);
    });
  });
}
