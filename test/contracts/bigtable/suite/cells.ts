// Part of the Bigtable contract: valid and refused cells.
import { describe, expect, test } from 'vitest';
import { gaxOptions, readCells } from '../clients.ts';
import { type Context, ids, row, T1 } from './context.ts';

export function cellsContract(context: Context): void {
  describe('values and keys', () => {
    const write = (tableName: string, rowKey: Buffer, value: Buffer, timestampMicros: number | string = T1 * 1000) =>
      context.data.mutateRow(
        {
          tableName,
          rowKey,
          mutations: [{ setCell: { familyName: 'l', columnQualifier: Buffer.from('q'), timestampMicros, value } }],
        },
        gaxOptions,
      );

    test('keys and values are bytes: every byte comes back, and keys sort as bytes', async () => {
      const { tableName } = await context.createTable();
      const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      const keys = [
        Buffer.from([0x00]),
        Buffer.from([0x7f, 0x80]),
        Buffer.from([0xff, 0x00]),
        Buffer.from([0xff, 0xff]),
      ];
      for (const key of keys.toReversed()) await write(tableName, key, value);
      const cells = await readCells(context.data, { tableName });
      expect(cells.map(({ key }) => key)).toEqual(keys.map((key) => key.toString('latin1')));
      for (const { value: read } of cells) expect(read.equals(value)).toBe(true);
      expect(await readCells(context.data, { tableName, rows: { rowKeys: keys.slice(2, 3) } })).toHaveLength(1);
    });

    test('an 8-byte value is 8 bytes', async () => {
      const { tableName } = await context.createTable();
      const value = Buffer.from([0, 0, 0, 0, 0, 0, 0, 42]);
      await write(tableName, Buffer.from('k'), value);
      expect((await readCells(context.data, { tableName }))[0]?.value).toEqual(value);
    });

    test('an empty value is a cell', async () => {
      const { tableName } = await context.createTable();
      await write(tableName, Buffer.from('k'), Buffer.alloc(0));
      expect((await readCells(context.data, { tableName })).map(({ value }) => value.length)).toEqual([0]);
    });

    test('a cell of 10 MB is written and read whole', async () => {
      const { table, tableName } = await context.createTable();
      const value = Buffer.alloc(10 * 1024 * 1024);
      for (let at = 0; at < value.length; at += 4) value.writeUInt32BE(at, at);
      await write(tableName, Buffer.from('big'), value);
      await write(tableName, Buffer.from('small'), Buffer.from('after it'));
      const [rows] = await table.getRows({ decode: false, gaxOptions });
      expect(rows.map(({ data }) => data.l.q[0].value.equals(value))).toEqual([true, false]);
    });

    test('the time -1 is the server\u2019s, in whole milliseconds', async () => {
      const { tableName } = await context.createTable();
      await write(tableName, Buffer.from('k'), Buffer.from('v'), -1);
      const [cellRead] = await readCells(context.data, { tableName });
      expect(cellRead?.micros).toBeGreaterThan(T1 * 1000 - 40_000_000_000_000);
      expect((cellRead?.micros ?? 1) % 1000).toBe(0);
    });

    test('a time that is not whole milliseconds is refused, and nothing is written', async () => {
      const { tableName } = await context.createTable();
      await expect(write(tableName, Buffer.from('k'), Buffer.from('v'), T1 * 1000 + 1)).rejects.toThrow();
      expect(await readCells(context.data, { tableName })).toEqual([]);
    });

    test('an empty row key is refused', async () => {
      const { tableName } = await context.createTable();
      await expect(write(tableName, Buffer.alloc(0), Buffer.from('v'))).rejects.toThrow();
    });

    test('a family that the table lacks is refused, for one row and for one of many', async () => {
      const { table } = await context.createTable();
      await expect(table.row('k').save({ nope: { q: 'v' } }, gaxOptions)).rejects.toThrow();
      const rows = [row('good', { l: { q: 'v' } }), row('bad', { nope: { q: 'v' } })];
      const failed = await table.insert(rows, gaxOptions).then(
        () => [],
        (error: { errors: { entry: { key: string } }[] }) => error.errors.map(({ entry }) => entry.key),
      );
      expect(failed).toContain('bad');
      expect(ids((await table.getRows({ gaxOptions }))[0])).not.toContain('bad');
    });
  });
}
