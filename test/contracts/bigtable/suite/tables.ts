// Part of the Bigtable contract: tables and families are created, listed, changed and dropped.
import { describe, expect, test } from 'vitest';
import { codeOf, gaxOptions, INSTANCE_NAME } from '../clients.ts';
import { type Context, row } from './context.ts';

export function tablesContract(context: Context): void {
  describe('tables', () => {
    test('a table is created with splits, families and their rules, is listed, and is there once', async () => {
      const options = {
        families: [{ name: 'l', rule: { versions: 3 } }, 'm'],
        splits: ['4', '8', 'c'].map((key) => Buffer.from(key)) as unknown as string[],
        gaxOptions,
      };
      await context.instance().createTable('made', options);
      const [listed] = await context.instance().getTables({ gaxOptions });
      expect(listed.map((table) => table.name)).toContain(`${INSTANCE_NAME}/tables/made`);
      const [families] = await context.instance().table('made').getFamilies(gaxOptions);
      const rules = families.map(({ id, metadata }) => [id, metadata?.gcRule?.maxNumVersions]);
      expect(rules.sort()).toEqual([
        ['l', 3],
        ['m', undefined],
      ]);
      expect(await codeOf(context.instance().createTable('made', options))).toBe(6);
    });

    test('a family is added, changed and dropped, and its cells go with it', async () => {
      const { table } = await context.createTable();
      await table.createFamily('x', { rule: { versions: 1 }, gaxOptions });
      expect(await codeOf(table.createFamily('x', { gaxOptions }))).toBe(6);
      await table.insert([row('k', { x: { q: 'gone' }, m: { q: 'kept' } })], gaxOptions);
      await table.family('x').delete(gaxOptions);
      const [families] = await table.getFamilies(gaxOptions);
      expect(families.map(({ id }) => id).sort()).toEqual(['l', 'm']);
      const [rows] = await table.getRows({ gaxOptions });
      expect(rows.map(({ data }) => Object.keys(data))).toEqual([['m']]);
    });

    test('a rule of versions and age is kept as it was given, also after a change', async () => {
      const { table } = await context.createTable();
      const rule = { versions: 6, age: { seconds: 2_592_000 } };
      const ruleOf = async () => {
        const [families] = await table.getFamilies(gaxOptions);
        return families.find(({ id }) => id === 'x')?.metadata?.gcRule;
      };
      await table.createFamily('x', { rule: { ...rule, union: true }, gaxOptions });
      const parts = [{ maxAge: { seconds: '2592000' } }, { maxNumVersions: 6 }];
      expect((await ruleOf())?.union?.rules).toMatchObject(parts);
      await table.family('x').setMetadata({ rule });
      expect((await ruleOf())?.intersection?.rules).toMatchObject(parts);
    });

    test('a deleted table is not found any more', async () => {
      const { table } = await context.createTable();
      await table.delete(gaxOptions);
      expect(await codeOf(table.getRows({ gaxOptions }))).toBe(5);
      expect(await codeOf(table.getMetadata({ gaxOptions }))).toBe(5);
    });

    test('a table that never was is NOT_FOUND, for reads and for writes', async () => {
      const missing = context.instance().table('missing');
      expect(await codeOf(missing.getRows({ gaxOptions }))).toBe(5);
      expect(await codeOf(missing.insert([row('k', { l: { q: 'v' } })], gaxOptions))).toBe(5);
    });

    test('sampled row keys come in order', async () => {
      const { table } = await context.createTable();
      await table.insert(
        ['a', 'b', 'c'].map((key) => row(key, { l: { q: key } })),
        gaxOptions,
      );
      const [samples] = await table.sampleRowKeys(gaxOptions);
      const keys = samples.map(({ key }) => String(key)).filter((key) => key !== '');
      expect(keys).toEqual([...keys].sort());
    });
  });
}
