// The same day by every format and road leaves the same table, cell by cell.
import { test } from 'vitest';
import { startBigtable } from '../../../dev/bigtable/server.ts';
import { expectSameCells, loadByEveryRoad } from '../support/roads.ts';

test('every road leaves the same cells in the embedded Bigtable', async () => {
  const server = await startBigtable();
  try {
    expectSameCells(await loadByEveryRoad(server.endpoint));
  } finally {
    await server.close();
  }
});
