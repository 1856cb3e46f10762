// Load receipts: the check before a generation is published.

import { expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import type { BigtableOptions } from '../../../dev/bigtable/server.ts';
import { type LoadReceipt, listLoads } from '../../../ops/bigtable/load-receipt.ts';
import { readManifest } from '../../../origin/bigtable/manifest-row.ts';
import { toName } from '../../../shared/domain/ids.ts';
import { EMPTY_MANIFEST } from '../../../shared/domain/manifest.ts';
import { settleWith } from '../../support/waiting.ts';
import { controlOf, MONDAY, recordLoad, startInstance, TIMEOUT_MS, TUESDAY, WEDNESDAY } from '../origin/instance.ts';

const load = { surface: toName('home'), variant: toName('control'), generation: MONDAY };
const loaded = { state: 'loaded', lists: 5, rejected: 1 } as const;

async function startReceipts(options: BigtableOptions = {}) {
  const { bigtable, server } = await startInstance(options);
  const control = controlOf(bigtable);
  return {
    bigtable,
    server,
    write: (of: typeof load, receipt: LoadReceipt) => recordLoad(bigtable, of, receipt),
    list: (surface = 'home', variant = 'control') =>
      listLoads(control, { surface: toName(surface), variant: toName(variant) }),
  };
}

test('a variant that was never loaded has no receipt', async () => {
  const { list } = await startReceipts();
  expect(await list()).toEqual([]);
});

test('loads are listed oldest first, each once, and only those of the variant', async () => {
  const { list, write } = await startReceipts();
  for (const generation of [WEDNESDAY, MONDAY, TUESDAY, MONDAY]) await write({ ...load, generation }, loaded);
  await write({ ...load, variant: toName('knn') }, loaded);
  await write({ ...load, variant: toName('control-2') }, loaded);
  await write({ ...load, surface: toName('home-2') }, loaded);
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

test('receipts of another version of the command are read, too', async () => {
  const { list, write } = await startReceipts();
  await write(load, { ...loaded, loader: 'one', by: 'ops@example', later: [1] });
  expect(await list()).toMatchObject([{ generation: MONDAY, ...loaded }]);
});

test('a receipt that is none is one short error', async () => {
  const { list, write } = await startReceipts();
  await write(load, { state: 'gone' } as never);
  await expect(list()).rejects.toThrow(
    /^expected the row load#home\/control#\d{4}-.* of the control table to be a receipt: /,
  );
});

test('a read that fails for a moment is repeated', async () => {
  const draws = [0.1, 0.1, 0.9];
  const { bigtable, server, write } = await startReceipts({ random: () => draws.shift() ?? 1 });
  await write(load, loaded);
  server.setFault('asia', { errorShare: 0.5 });
  const clock = createManualClock();
  const control = controlOf(bigtable, 'control', { clock, random: () => 0.5, totalMs: 20_000 });
  expect(await settleWith(clock, listLoads(control, load))).toEqual([{ generation: MONDAY, ...loaded }]);
  expect(server.counters('asia').failedCalls).toEqual({ ReadRows: 2 });
});
