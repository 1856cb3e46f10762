// The Bigtable contract on the embedded Bigtable.
import { startBigtable } from '../../../dev/bigtable/server.ts';
import { bigtableContract } from './suite.ts';

bigtableContract('the embedded Bigtable', async () => {
  const bigtable = await startBigtable();
  return { endpoint: bigtable.endpoint, stop: () => bigtable.close() };
});
