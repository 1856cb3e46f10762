// `node bench/ingest/bare.ts COUNT`: baseline of the loader. A plain loop with the same client, batch size and
// concurrency, over generated rows: no file, parsing, checks or retries.

import { connectBigtable } from '../../origin/bigtable/connection.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import { FAMILIES, makeListQualifier, makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import { ITEM_SEPARATOR } from '../../shared/domain/list.ts';
import { makeItems, makeUser } from '../support/lists-file.ts';

const BATCH = 250;
const IN_FLIGHT = 4;

const count = Number(process.argv[2]);
const { BIGTABLE_EMULATOR_HOST, EARSHOT_PROJECT = '', EARSHOT_INSTANCE = '' } = process.env;
const bigtable = connectBigtable({
  project: EARSHOT_PROJECT,
  instance: EARSHOT_INSTANCE,
  emulatorHost: BIGTABLE_EMULATOR_HOST,
});
const tableName = bigtable.tableName(TABLES.recommendations);
const columnQualifier = Buffer.from(makeListQualifier(toName('home'), toName('bare')));
const timestampMicros = Math.floor(Date.now()) * 1000;
let next = 0;

async function loop(): Promise<void> {
  while (next < count) {
    const first = next;
    next += BATCH;
    const entries = Array.from({ length: Math.min(BATCH, count - first) }, (_, i) => {
      const user = makeUser(first + i);
      const value = Buffer.from(makeItems(user).join(ITEM_SEPARATOR));
      return {
        rowKey: Buffer.from(makeRowKey(toUserId(user))),
        mutations: [{ setCell: { familyName: FAMILIES.lists, columnQualifier, timestampMicros, value } }],
      };
    });
    for await (const response of (await bigtable.data()).mutateRows(
      { tableName, appProfileId: 'ingest', entries },
      { timeout: 60_000 },
    )) {
      for (const { status } of response.entries) if (status.code !== 0) throw new Error(status.message);
    }
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
await bigtable.close();
