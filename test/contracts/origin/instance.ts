// An instance of the embedded Bigtable for one test. Its clients are those of the origin and of the `earshot` command.
// It ends with the test.

import { onTestFinished } from 'vitest';
import { generationDaysAgo } from '../../../bench/support/generation-days-ago.ts';
import type { EmbeddedBigtable } from '../../../dev/bigtable/embedded-bigtable.ts';
import type { Fault } from '../../../dev/bigtable/faults.ts';
import { type BigtableOptions, startBigtable } from '../../../dev/bigtable/server.ts';
import type { ControlTable } from '../../../ops/bigtable/control-table.ts';
import { readManifestRow, replaceManifest } from '../../../ops/bigtable/manifest-row.ts';
import type { Retries } from '../../../ops/bigtable/retry.ts';
import { applySchema } from '../../../ops/bigtable/schema/schema.ts';
import { type BigtableAddress, type BigtableConnection, connectBigtable } from '../../../origin/bigtable/connection.ts';
import { toName, toUserId } from '../../../shared/domain/ids.ts';
import {
  FAMILIES,
  JSON_QUALIFIER,
  type ListKey,
  MANIFEST_ROW_KEY,
  makeListQualifier,
  makeLoadRowKey,
  makeRowKey,
  TABLES,
} from '../../../shared/domain/keys.ts';
import { encodeItem } from '../../../shared/domain/list.ts';
import type { Manifest } from '../../../shared/domain/manifest.ts';
import type { Release } from '../../../shared/domain/release.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';

export const CLUSTERS = { asia: 'asia', europe: 'europe', us: 'us' } as const;
export const REGIONS = ['asia', 'europe', 'us'] as const;

/**
 * Generations at 03:00 UTC of seven, six and five days ago. Loads of future generations are refused, and old lists are
 * collected.
 */
export const MONDAY: number = generationDaysAgo(7);
export const TUESDAY: number = generationDaysAgo(6);
export const WEDNESDAY: number = generationDaysAgo(5);

/** Longer than any call of a test, so that only tests of deadlines exceed it. */
export const TIMEOUT_MS = 60_000;

export interface TestInstance {
  readonly server: EmbeddedBigtable;
  readonly address: BigtableAddress;
  readonly bigtable: BigtableConnection;
}

/** Without tables or profiles. */
export async function startEmptyInstance(options: BigtableOptions = {}): Promise<TestInstance> {
  const server = await startBigtable(options);
  const address = { project: 'contract', instance: 'recs', emulatorHost: server.endpoint };
  const bigtable = connectBigtable(address);
  onTestFinished(async () => {
    await bigtable.close();
    await server.close();
  });
  return { server, address, bigtable };
}

/** The control table as the commands use it. Without `retries` each call is made once. */
export const controlOf = (
  bigtable: BigtableConnection,
  appProfile = 'control',
  retries: Retries = { clock: systemClock, random: Math.random, totalMs: 0 },
): ControlTable => ({ bigtable, appProfile, retries });

/** Replaces the manifest by compare-and-set, whatever it is. */
export async function publishManifest(bigtable: BigtableConnection, next: Manifest, nowMs: number): Promise<void> {
  const control = controlOf(bigtable);
  const [read] = await readManifestRow(control, 1);
  if (!(await replaceManifest(control, { read, next, note: { what: 'test' }, nowMs }))) throw new Error('conflict');
}

/** Writes a receipt as an earlier `earshot` did, without a claim. */
export const recordLoad = (
  bigtable: BigtableConnection,
  { surface, variant, generation }: Release,
  receipt: Readonly<Record<string, unknown>>,
  atMs = generation,
): Promise<void> =>
  writeCell(bigtable, {
    table: TABLES.control,
    rowKey: makeLoadRowKey(surface, variant, generation),
    family: FAMILIES.control,
    qualifier: JSON_QUALIFIER,
    atMs,
    value: JSON.stringify(receipt),
    appProfile: 'control',
  });

/** As `recordLoad`, with the list of one user. Its receipt says that it has one. */
export async function recordLoadOfOne(bigtable: BigtableConnection, release: Release): Promise<void> {
  await writeCell(bigtable, {
    table: TABLES.recommendations,
    rowKey: makeRowKey(toUserId('u:one')),
    family: FAMILIES.lists,
    qualifier: makeListQualifier(release.surface, release.variant),
    atMs: release.generation,
    value: encodeItem('artist:1', String(Math.floor(release.generation / 3_600_000))),
  });
  await recordLoad(bigtable, release, { state: 'loaded', lists: 1, rejected: 0 });
}

/** With Earshot's schema. The counters start after its creation. */
export async function startInstance(options: BigtableOptions = {}): Promise<TestInstance> {
  const instance = await startEmptyInstance(options);
  await applySchema(instance.bigtable, { clusters: CLUSTERS, dryRun: false }, () => undefined);
  instance.server.resetCounters();
  return instance;
}

/** The same fault at every cluster, so that no failover helps. */
export function setFaultOfAll(server: EmbeddedBigtable, fault: Fault): void {
  for (const cluster of REGIONS) server.setFault(cluster, fault);
}

export interface CellToWrite {
  readonly table: string;
  readonly rowKey: string;
  readonly family: string;
  readonly qualifier: string;
  readonly atMs: number;
  readonly value: string | Buffer;
  /** Default: `ingest` */
  readonly appProfile?: string;
}

export async function writeCell(
  bigtable: BigtableConnection,
  { table, rowKey, family, qualifier, atMs, value, appProfile = 'ingest' }: CellToWrite,
): Promise<void> {
  const setCell = {
    familyName: family,
    columnQualifier: Buffer.from(qualifier),
    timestampMicros: atMs * 1000,
    value: Buffer.from(value),
  };
  const row = { tableName: bigtable.tableName(table), appProfileId: appProfile, rowKey: Buffer.from(rowKey) };
  await (await bigtable.data()).mutateRow({ ...row, mutations: [{ setCell }] }, { timeout: TIMEOUT_MS });
}

export const writeList = (
  bigtable: BigtableConnection,
  { surface, variant, generation, user }: ListKey,
  value: string | Buffer,
): Promise<void> =>
  writeCell(bigtable, {
    table: TABLES.recommendations,
    rowKey: makeRowKey(user),
    family: FAMILIES.lists,
    qualifier: makeListQualifier(surface, variant),
    atMs: generation,
    value,
  });

/** Writes the manifest row without checks, as `cbt` can. */
export const writeManifestCell = (
  bigtable: BigtableConnection,
  json: string,
  atMs: number,
  appProfile = 'control',
): Promise<void> =>
  writeCell(bigtable, {
    table: TABLES.control,
    rowKey: MANIFEST_ROW_KEY,
    family: FAMILIES.control,
    qualifier: JSON_QUALIFIER,
    atMs,
    value: json,
    appProfile,
  });

export const manifestOf = (version: number): Manifest => ({
  version,
  surfaces: {
    home: {
      salt: 'home-1',
      listTtlSeconds: 21_600,
      variants: [{ name: toName('control'), weight: 10_000, current: MONDAY }],
    },
  },
  erasures: [],
});
