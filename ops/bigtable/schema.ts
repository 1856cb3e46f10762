// Brings an instance to the tables and app profiles that Earshot reads and writes. Applying twice changes nothing.

import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { applyProfile, wantedProfiles } from './app-profiles.ts';
import type { SchemaChange } from './schema-change.ts';
import { applyTable, wantedTables } from './tables.ts';

export interface SchemaOptions {
  /** Bigtable cluster id by region name; the first one also takes the writes. */
  readonly clusters: Readonly<Record<string, string>>;
  readonly dryRun: boolean;
}

/**
 * Throws an EarshotError of source `table`; what was done before it stays done, and applying again goes on from there.
 */
export async function applySchema(
  bigtable: BigtableConnection,
  { clusters, dryRun }: SchemaOptions,
  onChange: (change: SchemaChange) => void,
): Promise<void> {
  for (const table of wantedTables) onChange(await applyTable(bigtable, table, dryRun));
  for (const [id, profile] of Object.entries(wantedProfiles(clusters))) {
    onChange(await applyProfile(bigtable, id, profile, dryRun));
  }
}
