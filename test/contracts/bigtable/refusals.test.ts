// Requests that the embedded Bigtable refuses, with the codes and known texts of Cloud Bigtable.
import { expect, test } from 'vitest';
import { codeOf, collect, INSTANCE_NAME, noRetry } from './clients.ts';
import { type MutateRowsAnswer, setCell, startEmbedded, TABLE_NAME } from './embedded.ts';

type Entry = { rowKey: Buffer; mutations: object[] };
const entry = (key: string, ...mutations: object[]): Entry => ({ rowKey: Buffer.from(key), mutations });

test('a family that the table lacks is NOT_FOUND, and in a bulk write it fails every entry', async () => {
  const { clients, mutate, cells } = await startEmbedded();
  await expect(mutate('', 'k', setCell('v', 1000, 'nope'))).rejects.toThrow(
    /5 NOT_FOUND: .*Requested column family not found/,
  );
  const entries = [entry('good', setCell('v')), entry('bad', setCell('v', 1000, 'nope'))];
  const [answer] = await collect<MutateRowsAnswer>(
    clients.data.mutateRows({ tableName: TABLE_NAME, entries }, noRetry),
  );
  expect(answer?.entries.map(({ status }) => status.code)).toEqual([5, 5]);
  expect(await codeOf(cells('', { filter: { familyNameRegexFilter: 'nope' } }))).toBe(5);
  expect(await cells('')).toEqual([]);
});

test('a time that is not whole milliseconds is INVALID_ARGUMENT, and in a bulk write it fails the whole request', async () => {
  const { clients, mutate, cells } = await startEmbedded();
  const text = /Timestamp granularity mismatch. Expected a multiple of 1000 \(millisecond granularity\), but got 1/;
  await expect(mutate('', 'k', setCell('v', 0.001))).rejects.toThrow(text);
  const entries = [entry('good', setCell('v')), entry('bad', setCell('v', 0.001))];
  await expect(collect(clients.data.mutateRows({ tableName: TABLE_NAME, entries }, noRetry))).rejects.toThrow(text);
  expect(await codeOf(mutate('', 'k', setCell('v', -2)))).toBe(3);
  expect(await cells('')).toEqual([]);
});

test('empty keys, keys above 4 KiB, no mutations and too many are INVALID_ARGUMENT', async () => {
  const { clients, cells, mutate, write } = await startEmbedded();
  await expect(write('', '', 'v')).rejects.toThrow('Row keys must be non-empty');
  expect(await codeOf(write('', 'k'.repeat(4097), 'v'))).toBe(3);
  expect(await codeOf(write('', 'k'.repeat(4096), 'v'))).toBe('no error');
  expect(await codeOf(mutate('', 'k'))).toBe(3);
  expect(await codeOf(cells('', { rows: { rowKeys: [Buffer.alloc(0)] } }))).toBe(3);
  const entries = [entry('a', ...Array(60_000).fill(setCell('v'))), entry('b', ...Array(40_001).fill(setCell('v')))];
  expect(await codeOf(collect(clients.data.mutateRows({ tableName: TABLE_NAME, entries }, noRetry)))).toBe(3);
});

test('a filter that is not implemented is refused by name, wherever it stands', async () => {
  const { cells } = await startEmbedded();
  await expect(cells('', { filter: { sink: true } })).rejects.toThrow(
    "12 UNIMPLEMENTED: row filter 'sink' is not implemented",
  );
  const filters = [{ passAllFilter: true }, { rowSampleFilter: 0.5 }];
  await expect(cells('', { filter: { chain: { filters } } })).rejects.toThrow(
    "row filter 'rowSampleFilter' is not implemented",
  );
});

test('a filter above 20 480 bytes is refused, as by Cloud Bigtable', async () => {
  const { cells } = await startEmbedded();
  const filter = (bytes: number) => ({ filter: { valueRegexFilter: Buffer.alloc(bytes, 'a') } });
  expect(await codeOf(cells('', filter(20_000)))).toBe('no error');
  expect(await codeOf(cells('', filter(20_481)))).toBe(3);
});

test('regexes that RE2 refuses are refused, not read as JavaScript ones', async () => {
  const { cells } = await startEmbedded();
  for (const pattern of ['a(?=b)', '(a)\\1', 'a\\', '[[:alpha:]]', '\\p{L}']) {
    expect(await codeOf(cells('', { filter: { valueRegexFilter: Buffer.from(pattern) } }))).toBe(3);
  }
});

test('calls that are not implemented say so', async () => {
  const { clients } = await startEmbedded();
  expect(
    await codeOf(
      clients.data.prepareQuery({ instanceName: INSTANCE_NAME, query: 'SELECT 1', paramTypes: {} }, noRetry),
    ),
  ).toBe(12);
  expect(
    await codeOf(collect(clients.data.readRows({ authorizedViewName: `${TABLE_NAME}/authorizedViews/v` }, noRetry))),
  ).toBe(12);
});
