// An embedded Bigtable for one test, with a table `t` (family `l`), an app profile per cluster, and short functions to
// read and write through them. It stops when the test ends.
import { onTestFinished } from 'vitest';
import type { EmbeddedBigtable } from '../../../dev/bigtable/embedded-bigtable.ts';
import { type BigtableOptions, startBigtable } from '../../../dev/bigtable/server.ts';
import {
  type Clients,
  connect,
  gaxOptions,
  INSTANCE,
  INSTANCE_NAME,
  noRetry,
  type RawCell,
  readCells,
} from './clients.ts';

export const TABLE_NAME = `${INSTANCE_NAME}/tables/t`;
export const CLUSTERS = ['asia', 'europe', 'us'] as const;

export interface Embedded {
  bigtable: EmbeddedBigtable;
  clients: Clients;
  /** Writes `l:q`. The profiles have the names of their clusters. */
  write(appProfileId: string, key: string, value: string, atMs?: number): Promise<void>;
  mutate(appProfileId: string, key: string, ...mutations: object[]): Promise<void>;
  cells(appProfileId: string, request?: object): Promise<RawCell[]>;
  /** The values of the row, newest first. */
  values(appProfileId: string, key: string): Promise<string[]>;
}

export interface MutateRowsAnswer {
  entries: { status: { code: number } }[];
}

export async function startEmbedded(options: BigtableOptions & { rule?: object } = {}): Promise<Embedded> {
  const { rule, ...serverOptions } = options;
  const bigtable = await startBigtable(serverOptions);
  const clients = connect(bigtable.endpoint);
  onTestFinished(async () => {
    await clients.close();
    await bigtable.close();
  });
  const instance = clients.bigtable.instance(INSTANCE);
  await instance.createTable('t', { families: [rule === undefined ? 'l' : { name: 'l', rule }], gaxOptions });
  for (const cluster of CLUSTERS) {
    const routing = instance.cluster(cluster);
    await instance.createAppProfile(cluster, { routing, allowTransactionalWrites: true, gaxOptions });
  }

  const mutate = async (appProfileId: string, key: string, ...mutations: object[]) => {
    const request = { tableName: TABLE_NAME, appProfileId, rowKey: Buffer.from(key), mutations };
    await clients.data.mutateRow(request, noRetry);
  };
  const cells = (appProfileId: string, request: object = {}) =>
    readCells(clients.data, { tableName: TABLE_NAME, appProfileId, ...request });
  return {
    bigtable,
    clients,
    mutate,
    write: (appProfileId, key, value, atMs = 1000) => mutate(appProfileId, key, setCell(value, atMs)),
    cells,
    values: async (appProfileId, key) => {
      const read = await cells(appProfileId, { rows: { rowKeys: [Buffer.from(key)] } });
      return read.map(({ value }) => value.toString());
    },
  };
}

export function setCell(value: string, atMs = 1000, familyName = 'l'): object {
  const timestampMicros = atMs < 0 ? atMs : atMs * 1000;
  return { setCell: { familyName, columnQualifier: Buffer.from('q'), timestampMicros, value: Buffer.from(value) } };
}
