// Creates and updates the tables and app profiles of an instance. Applying twice changes nothing.

import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { DEFAULT_LIST_MAX_AGE_DAYS } from '../../../shared/domain/list.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { type Retries, withRetries } from '../retry.ts';
import { applyProfile, wantedProfiles } from './app-profiles.ts';
import type { SchemaChange } from './schema-change.ts';
import { applyTable, wantedTables } from './tables.ts';

export interface SchemaOptions {
  /** Bigtable cluster id by region. The first cluster takes the writes. */
  readonly clusters: Readonly<Record<string, string>>;
  readonly dryRun: boolean;
  /** Days after which lists are collected. Default: DEFAULT_LIST_MAX_AGE_DAYS. */
  readonly listMaxAgeDays?: number;
  /** Retries of each step: it looks before it acts, so it can be repeated. Default: none. */
  readonly retries?: Retries;
}

/** Throws an EarshotError of source `table`. Completed steps stay, and the next call continues after them. */
export async function applySchema(
  bigtable: BigtableConnection,
  { clusters, dryRun, listMaxAgeDays = DEFAULT_LIST_MAX_AGE_DAYS, retries = NO_RETRIES }: SchemaOptions,
  onChange: (change: SchemaChange) => void,
): Promise<void> {
  for (const table of wantedTables(listMaxAgeDays)) {
    onChange(await withRetries(retries, () => applyTable(bigtable, table, dryRun)));
  }
  for (const [id, profile] of Object.entries(wantedProfiles(clusters))) {
    onChange(await withRetries(retries, () => applyProfile(bigtable, id, profile, dryRun)));
  }
}

const NO_RETRIES: Retries = { clock: systemClock, random: Math.random, totalMs: 0 };
