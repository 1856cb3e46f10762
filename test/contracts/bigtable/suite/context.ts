// Context of each part of the contract: Google's clients and a new table per test.
import type { Bigtable, Instance, Table, v2 } from '@google-cloud/bigtable';
import { gaxOptions, INSTANCE, INSTANCE_NAME } from '../clients.ts';

export interface Context {
  readonly data: v2.BigtableClient;
  instance(): Instance;
  /** An empty table with families `l` and `m`. */
  createTable(): Promise<{ table: Table; tableName: string }>;
}

/** Three generations, a day apart. */
export const T1 = 1_795_402_800_000;
export const T2 = T1 + 86_400_000;
export const T3 = T2 + 86_400_000;

export function createContext(clients: () => { bigtable: Bigtable; data: v2.BigtableClient }): Context {
  let tables = 0;
  const instance = () => clients().bigtable.instance(INSTANCE);
  return {
    get data() {
      return clients().data;
    },
    instance,
    createTable: async () => {
      const id = `contract-${++tables}`;
      const [table] = await instance().createTable(id, { families: ['l', 'm'], gaxOptions });
      return { table, tableName: `${INSTANCE_NAME}/tables/${id}` };
    },
  };
}

type Cells = Record<string, Record<string, { value: string | Buffer; timestamp: number } | string>>;

export const row = (key: string, data: Cells) => ({ key, data });
export const cell = (value: string | Buffer, atMs: number) => ({ value, timestamp: atMs * 1000 });
export const ids = (rows: { id: string }[]) => rows.map(({ id }) => id);
