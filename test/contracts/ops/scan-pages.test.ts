// A scan by pages: every row of the range once and in order, and no call returns more rows than a page has.
import { expect, test } from 'vitest';
import { scanPages } from '../../../ops/bigtable/scan-pages.ts';
import { TABLES } from '../../../shared/domain/keys.ts';
import { controlOf, MONDAY, startInstance, writeCell } from '../origin/instance.ts';

async function scan(keys: readonly string[], from: string, to: string | undefined, rowsPerPage: number) {
  const { bigtable, server } = await startInstance();
  for (const rowKey of keys) {
    const cell = { table: TABLES.recommendations, family: 'l', qualifier: 'home/control', value: 'x' };
    await writeCell(bigtable, { ...cell, rowKey, atMs: MONDAY });
  }
  server.resetCounters();
  const pages: string[][] = [];
  const request = { table: TABLES.recommendations, range: { from, to }, filter: { passAllFilter: true }, rowsPerPage };
  for await (const page of scanPages(controlOf(bigtable), request)) pages.push(page.map(({ key }) => key.toString()));
  return { pages, rowsRead: server.counters('asia').rowsRead };
}

test('pages have every row of the range once, from the first key to before the end', async () => {
  const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  expect(await scan(keys, 'b', 'g', 2)).toEqual({ pages: [['b', 'c'], ['d', 'e'], ['f']], rowsRead: 5 });
  expect((await scan(keys, '', undefined, 3)).pages).toEqual([['a', 'b', 'c'], ['d', 'e', 'f'], ['g']]);
  expect((await scan(keys, 'x', undefined, 3)).pages).toEqual([[]]);
});
