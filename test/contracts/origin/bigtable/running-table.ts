// The recommendation table for one test, over real gRPC, in front of the server at the given address: usually an
// embedded Bigtable.

import { onTestFinished } from 'vitest';
import type { EmbeddedBigtable } from '../../../../dev/bigtable/embedded-bigtable.ts';
import type { BigtableOptions } from '../../../../dev/bigtable/server.ts';
import type { BigtableAddress } from '../../../../origin/bigtable/connection.ts';
import {
  createRecommendationTable,
  type RecommendationTable,
  type RecommendationTableOptions,
} from '../../../../origin/bigtable/recommendation-table.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import type { ListKey } from '../../../../shared/domain/keys.ts';
import type { ListResult } from '../../../../shared/wire/read-response.ts';
import { MONDAY, startInstance, type TestInstance, TIMEOUT_MS, writeList } from '../instance.ts';

/** The table's reports about its calls. */
export interface SeenCalls {
  /** Number of keys per call. */
  readonly calls: number[];
  retries: number;
  /** Number of keys per call to another cluster. */
  readonly failovers: number[];
  readonly hedges: string[];
  readonly errors: unknown[];
}

export interface RunningTable extends TestInstance {
  readonly table: RecommendationTable;
  readonly seen: SeenCalls;
  write(key: ListKey, value: string | Buffer): Promise<void>;
  read(...keys: ListKey[]): ReturnType<RecommendationTable['readLists']>;
}

/** A primed table. It is closed at the end of the test. */
export async function openTable(
  address: BigtableAddress,
  options: Partial<RecommendationTableOptions> = {},
): Promise<{ table: RecommendationTable; seen: SeenCalls }> {
  const seen: SeenCalls = { calls: [], retries: 0, failovers: [], hedges: [], errors: [] };
  const table = createRecommendationTable({
    address,
    appProfile: 'serve-asia',
    random: () => 0.5,
    onError: (error) => seen.errors.push(error),
    observerOf: () => ({
      onCall: ({ keys }) => {
        seen.calls.push(keys);
        return () => {};
      },
      onRetry: () => seen.retries++,
      onFailover: (keys) => seen.failovers.push(keys),
      onHedge: (outcome) => seen.hedges.push(outcome),
    }),
    ...options,
  });
  onTestFinished(() => table.close());
  await table.warm();
  return { table, seen };
}

export async function startTable(
  options: BigtableOptions = {},
  tableOptions: Partial<RecommendationTableOptions> = {},
): Promise<RunningTable> {
  const instance = await startInstance(options);
  const { table, seen } = await openTable(instance.address, tableOptions);
  instance.server.resetCounters();
  const write = (key: ListKey, value: string | Buffer) => writeList(instance.bigtable, key, value);
  const read = (...keys: ListKey[]) => table.readLists(keys, TIMEOUT_MS);
  return { ...instance, table, seen, write, read };
}

/** ReadRows calls that reached the cluster. */
export const readCalls = (server: EmbeddedBigtable, cluster = 'asia'): number =>
  server.counters(cluster).calls.ReadRows ?? 0;

export const listKey = (user: string, change: Partial<ListKey> = {}): ListKey => ({
  surface: toName('home'),
  variant: toName('control'),
  generation: MONDAY,
  user: toUserId(user),
  ...change,
});

export const users = (count: number): string[] => Array.from({ length: count }, (_, i) => `u:${i}`);

export const textOf = (result: ListResult | undefined): string | undefined =>
  result?.kind === 'list' ? Buffer.from(result.bytes).toString() : result?.kind;
