// Bigtable content for measurements of origins: users with lists of 50 items, 2 KB each, and a manifest that makes them
// live.
import { LOCAL_CLUSTERS, LOCAL_INSTANCE, LOCAL_PROJECT } from '../../dev/topology.ts';
import { readManifestRow, replaceManifest } from '../../ops/bigtable/manifest-row.ts';
import { applySchema } from '../../ops/bigtable/schema/schema.ts';
import { type BigtableAddress, type BigtableConnection, connectBigtable } from '../../origin/bigtable/connection.ts';
import { POPULAR_USER, toName, toUserId } from '../../shared/domain/ids.ts';
import { FAMILIES, type ListKey, makeListQualifier, makeRowKey, TABLES } from '../../shared/domain/keys.ts';
import { DEFAULT_LIMIT, encodeItem, ITEM_SEPARATOR } from '../../shared/domain/list.ts';
import { DEFAULT_LIST_TTL_SECONDS, FULL_WEIGHT } from '../../shared/domain/manifest.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { murmur3 } from '../../shared/runtime/hash.ts';
import { generationDaysAgo } from './generation-days-ago.ts';

export const GENERATION: number = generationDaysAgo(7);
export const SURFACE = toName('home');
export const VARIANT = toName('control');
const ROWS_PER_CALL = 500;
const CALLS_AT_ONCE = 4;
const TIMEOUT_MS = 60_000;

export const tableAddress = (emulatorHost: string): BigtableAddress => ({
  project: LOCAL_PROJECT,
  instance: LOCAL_INSTANCE,
  emulatorHost,
});

export const makeListener = (i: number): string => `listener:${i}`;

export const makeKey = (user: string): ListKey => ({
  surface: SURFACE,
  variant: VARIANT,
  generation: GENERATION,
  user: toUserId(user),
});

/** The stored form of a user's list: 50 items, about 2 KB. */
export const makeListText = (user: string): string =>
  Array.from({ length: DEFAULT_LIMIT }, (_, i) =>
    encodeItem(`track:${1_000_000 + (murmur3(user, i) % 1_000_000)}`, String(1 - i / 1000)),
  ).join(ITEM_SEPARATOR);

export interface TableOptions {
  /** Default: six hours. */
  readonly listTtlSeconds?: number;
  /** Whether every read of a listener is an exposure of an experiment. Default: false. */
  readonly isExposed?: boolean;
}

/** Writes the schema, the lists of `users` listeners, the popular list and the manifest. */
export async function fillTable(address: BigtableAddress, users: number, options: TableOptions = {}): Promise<void> {
  const bigtable = connectBigtable(address);
  try {
    await applySchema(bigtable, { clusters: LOCAL_CLUSTERS, dryRun: false }, () => undefined);
    await fillGeneration(bigtable, GENERATION, users);
    await writeLists(bigtable, GENERATION, [POPULAR_USER]);
    await publish(bigtable, options);
  } finally {
    await bigtable.close();
  }
}

/** Writes the lists of `users` listeners under a generation. */
export async function fillGeneration(bigtable: BigtableConnection, generation: number, users: number): Promise<void> {
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < users) {
      const first = next;
      next += ROWS_PER_CALL;
      const count = Math.min(ROWS_PER_CALL, users - first);
      const listeners = Array.from({ length: count }, (_, i) => makeListener(first + i));
      await writeLists(bigtable, generation, listeners);
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, write));
}

async function writeLists(bigtable: BigtableConnection, generation: number, users: readonly string[]): Promise<void> {
  const entries = users.map((user) => {
    const setCell = {
      familyName: FAMILIES.lists,
      columnQualifier: Buffer.from(makeListQualifier(SURFACE, VARIANT)),
      timestampMicros: generation * 1000,
      value: Buffer.from(makeListText(user)),
    };
    return { rowKey: Buffer.from(makeRowKey(toUserId(user))), mutations: [{ setCell }] };
  });
  const request = { tableName: bigtable.tableName(TABLES.recommendations), appProfileId: 'ingest', entries };
  for await (const answer of (await bigtable.data()).mutateRows(request, { timeout: TIMEOUT_MS })) {
    for (const { status } of answer.entries) if (status.code !== 0) throw new Error(status.message);
  }
}

/** One experiment of all listeners, with one arm. */
const EXPERIMENTS = {
  ranking: {
    ...{ surface: SURFACE, layer: SURFACE, salt: 'ranking-1', state: 'running' as const, control: VARIANT },
    slots: [[0, 10_000] as [number, number]],
    arms: [{ variant: VARIANT, buckets: [[0, 10_000] as [number, number]] }],
  },
};

async function publish(
  bigtable: BigtableConnection,
  { listTtlSeconds = DEFAULT_LIST_TTL_SECONDS, isExposed = false }: TableOptions,
): Promise<void> {
  const retries = { clock: systemClock, random: Math.random, totalMs: TIMEOUT_MS };
  const control = { bigtable, appProfile: 'control', retries };
  const [read] = await readManifestRow(control, 1);
  const variants = [{ name: VARIANT, weight: FULL_WEIGHT, current: GENERATION }];
  const next = {
    version: 1,
    surfaces: { [SURFACE]: { salt: 'home-1', listTtlSeconds, variants, ...(isExposed ? { exposure: 'served' } : {}) } },
    ...(isExposed ? { experiments: EXPERIMENTS } : {}),
    erasures: [],
  };
  await replaceManifest(control, { read, next, note: { what: 'bench' }, nowMs: Date.now() });
}
