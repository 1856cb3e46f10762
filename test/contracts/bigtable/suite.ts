// The behaviour of Bigtable that Earshot needs, checked through Google's client. The embedded server and Google's
// emulator both pass. Behaviour of only the service and the embedded one (garbage collection at read time, app
// profiles) has tests of its own.
import { afterAll, beforeAll, describe } from 'vitest';
import { type Clients, connect } from './clients.ts';
import { cellsContract } from './suite/cells.ts';
import { createContext } from './suite/context.ts';
import { deletesContract } from './suite/deletes.ts';
import { filtersContract } from './suite/filters.ts';
import { readsContract } from './suite/reads.ts';
import { tablesContract } from './suite/tables.ts';
import { transactionsContract } from './suite/transactions.ts';

export interface StartedBigtable {
  endpoint: string;
  stop(): Promise<void>;
}

export function bigtableContract(name: string, start: () => Promise<StartedBigtable>): void {
  describe(`${name} as a Bigtable`, () => {
    let server: StartedBigtable;
    let clients: Clients;

    beforeAll(async () => {
      server = await start();
      clients = connect(server.endpoint);
    }, 30_000);

    afterAll(async () => {
      await clients.close();
      await server.stop();
    });

    const context = createContext(() => clients);
    tablesContract(context);
    readsContract(context);
    cellsContract(context);
    filtersContract(context);
    deletesContract(context);
    transactionsContract(context);
  });
}
