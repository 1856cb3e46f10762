// Load receipts: the check before a generation is published.
import { expect, test } from 'vitest';
import type { BigtableOptions } from '../../../dev/bigtable/server.ts';
import { listLoads, writeLoadReceipt } from '../../../ops/bigtable/load-receipt.ts';
import { readManifest } from '../../../origin/bigtable/manifest-row.ts';
import { EMPTY_MANIFEST } from '../../../shared/domain/manifest.ts';
import { MONDAY, startInstance, TIMEOUT_MS, TUESDAY, WEDNESDAY } from '../origin/instance.ts';

const NOW = 1_795_500_000_000;
const load = { surface: 'home', variant: 'control', generation: MONDAY };
const loading = { state: 'loading', lists: 0, rejected: 0 } as const;
const loaded = { state: 'loaded', lists: 5, rejected: 1 } as const;

async function startReceipts(options: BigtableOptions = {}) {
  const { bigtable, server } = await startInstance(options);
  return {
    bigtable,
    server,
    write: (of: typeof load, receipt: typeof loading | typeof loaded, nowMs = NOW) =>
      writeLoadReceipt(bigtable, 'control', of, receipt, nowMs),
    list: (surface = 'home', variant = 'control') => listLoads(bigtable, 'control', { surface, variant }),
  };
}

test('a variant that was never loaded has no receipt', async () => {
  const { list } = await startReceipts();
  expect(await list()).toEqual([]);
});

test('a receipt is read as it was written, and the last one stands', async () => {
  const { list, write } = await startReceipts();
  await write(load, loading);
  expect(await list()).toEqual([{ generation: MONDAY, ...loading }]);
  await write(load, loaded);
  expect(await list()).toEqual([{ generation: MONDAY, ...loaded }]);
});

test('the last receipt stands even when its writer\u2019s clock is behind', async () => {
  const { list, write } = await startReceipts();
  await write(load, loaded, NOW);
  await write(load, loading, NOW - 3_600_000);
  expect(await list()).toEqual([{ generation: MONDAY, ...loading }]);
});

test('loads are listed oldest first, each once, and only those of the variant', async () => {
  const { list, write } = await startReceipts();
  for (const generation of [WEDNESDAY, MONDAY, TUESDAY, MONDAY]) await write({ ...load, generation }, loaded);
  await write({ ...load, variant: 'knn' }, loaded);
  await write({ ...load, variant: 'control-2' }, loaded);
  await write({ ...load, surface: 'home-2' }, loaded);
  const generations = async (...of: string[]) => (await list(...of)).map(({ generation }) => generation);
  expect(await generations()).toEqual([MONDAY, TUESDAY, WEDNESDAY]);
  expect(await generations('home', 'knn')).toEqual([MONDAY]);
  expect(await generations('home', 'contro')).toEqual([]);
});

test('receipts and the manifest share a table and do not see each other', async () => {
  const { bigtable, write } = await startReceipts();
  await write(load, loaded);
  expect((await readManifest(bigtable, 'control', TIMEOUT_MS)).manifest).toEqual(EMPTY_MANIFEST);
});

test('a cluster that is down is an error and not a variant that was never loaded', async () => {
  const { list, server } = await startReceipts();
  server.setFault('asia', { down: true });
  const error = { code: 'unavailable', source: 'table', message: expect.stringContaining('is down') };
  await expect(list()).rejects.toMatchObject(error);
});

test('a receipt that cannot be written for a moment is written after it', async () => {
  const draws = [0.1, 0.9];
  const { list, server, write } = await startReceipts({ random: () => draws.shift() ?? 1 });
  server.setFault('asia', { errorShare: 0.5, errorCode: 'UNAVAILABLE' });
  await write(load, loaded);
  expect(await list()).toEqual([{ generation: MONDAY, ...loaded }]);
  expect(server.counters('asia').failedCalls).toEqual({ MutateRow: 1 });
});

test('a receipt that may not be written is one short error', async () => {
  const { server, write } = await startReceipts();
  server.setFault('asia', { errorCode: 'PERMISSION_DENIED' });
  await expect(write(load, loaded)).rejects.toMatchObject({
    code: 'internal',
    source: 'table',
    message: 'recording the load failed: 7 PERMISSION_DENIED: injected PERMISSION_DENIED',
  });
});
