// The same day by every format and road leaves the same cells in Google's emulator as in the embedded Bigtable.
import { expect, test } from 'vitest';
import { startBigtable } from '../../dev/bigtable/server.ts';
import { expectSameCells, loadByEveryRoad } from '../commands/support/roads.ts';
import { findEmulator, orSkip, startEmulator } from './google-emulator.ts';

orSkip("Google's emulator", await findEmulator(), (found) => {
  test('every road leaves the same cells in both', async () => {
    const [emulator, embedded] = [await startEmulator(found), await startBigtable()];
    try {
      const left = await loadByEveryRoad(emulator.endpoint);
      expectSameCells(left);
      expect(left).toEqual(await loadByEveryRoad(embedded.endpoint));
    } finally {
      await emulator.stop();
      await embedded.close();
    }
  });
});
