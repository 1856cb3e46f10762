import { expect, test } from 'vitest';
import { startBigtable } from '../../../bench/rigs/processes.ts';

test('a Bigtable of a measurement is stopped by its part and by the cleanup, and both calls end', async () => {
  const { controlUrl, stop } = await startBigtable();
  expect((await fetch(`${controlUrl}/clusters`)).status).toBe(200);
  await stop();
  await stop();
  await expect(fetch(`${controlUrl}/clusters`)).rejects.toThrow('fetch failed');
});
