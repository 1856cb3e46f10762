// `node bench/ingest/point-reads.ts ROWS READS CONTROL_URL`: reads random single rows out of ROWS and prints the
// server's own time for them.

import { createRecommendationTable } from '../../origin/bigtable/recommendation-table.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { unitHash } from '../../shared/runtime/hash.ts';
import { makeUser } from '../support/lists-file.ts';

const REGION = 'europe';
const IN_FLIGHT = 8;

const [rows, reads] = process.argv.slice(2, 4).map(Number) as [number, number];
const controlUrl = process.argv[4] ?? '';
const { BIGTABLE_EMULATOR_HOST, EARSHOT_PROJECT = '', EARSHOT_INSTANCE = '' } = process.env;
const table = createRecommendationTable({
  address: { project: EARSHOT_PROJECT, instance: EARSHOT_INSTANCE, emulatorHost: BIGTABLE_EMULATOR_HOST },
  appProfile: `serve-${REGION}`,
  onError: (error) => {
    throw error;
  },
});
await table.warm();
const generation = Date.now();
let next = 0;

async function loop(): Promise<void> {
  while (next < reads) {
    const user = makeUser(Math.floor(unitHash(`read/${next++}`) * rows));
    const [result] = await table.readLists(
      [{ surface: toName('home'), variant: toName('control'), generation, user: toUserId(user) }],
      5000,
    );
    if (result?.kind !== 'list') throw new Error(`expected the list of ${user}, got ${result?.kind}`);
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
await table.close();
const state = (await (await fetch(`${controlUrl}/clusters`)).json()) as {
  clusters: { name: string; counters: { readRowsOwnTime: { meanMicros: number; p99Micros: number } } }[];
};
const own = state.clusters.find(({ name }) => name === REGION)?.counters.readRowsOwnTime;
process.stdout.write(`${JSON.stringify(own)}\n`);
