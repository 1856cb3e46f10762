// Creates and updates the tables and app profiles of an instance. Applying twice changes nothing.
import type { BigtableConnection } from '../../origin/bigtable/connection.ts';
import { applyProfile, wantedProfiles } from './app-profiles.ts';
import type { SchemaChange } from './schema-change.ts';
import { applyTable, wantedTables } from './tables.ts';

export interface SchemaOptions {
  /** Bigtable cluster id by region. The first cluster takes the writes. */
  readonly clusters: Readonly<Record<string, string>>;
  readonly dryRun: boolean;
}

/** Throws an EarshotError of source `table`. Completed steps stay, and the next call continues after them. */
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
