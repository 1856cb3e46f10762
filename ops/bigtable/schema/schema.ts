// Creates and updates the tables and app profiles of an instance. Applying twice changes nothing.

import type { BigtableConnection } from '../../../origin/bigtable/connection.ts';
import { DEFAULT_LIST_MAX_AGE_DAYS } from '../../../shared/domain/list.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { type Retries, withRetries } from '../retry.ts';
import { applyForeignProfiles, applyProfile, wantedProfiles } from './app-profiles.ts';
import type { ApplyMode, SchemaChange } from './schema-change.ts';
import { applyTable, wantedTables } from './tables.ts';

export interface SchemaOptions {
  /** Bigtable cluster id by region. The first cluster takes the writes. */
  readonly clusters: Readonly<Record<string, string>>;
  readonly dryRun: boolean;
  /** Also steps that delete data. Default: false. */
  readonly allowDestructive?: boolean;
  /** Days after which lists are collected. Default: DEFAULT_LIST_MAX_AGE_DAYS. */
  readonly listMaxAgeDays?: number;
  /** Retries of each step: it looks before it acts, so it can be repeated. Default: none. */
  readonly retries?: Retries;
}

/** Throws an EarshotError of source `table`. Completed steps stay, and the next call continues after them. */
export async function applySchema(
  bigtable: BigtableConnection,
  options: SchemaOptions,
  onChange: (change: SchemaChange) => void,
): Promise<void> {
  const { clusters, dryRun, allowDestructive = false, retries = NO_RETRIES } = options;
  const mode: ApplyMode = { dryRun, allowDestructive };
  const profiles = wantedProfiles(clusters);
  for (const table of wantedTables(options.listMaxAgeDays ?? DEFAULT_LIST_MAX_AGE_DAYS)) {
    (await withRetries(retries, () => applyTable(bigtable, table, mode))).forEach(onChange);
  }
  for (const [id, profile] of Object.entries(profiles)) {
    onChange(await withRetries(retries, () => applyProfile(bigtable, id, profile, mode)));
  }
  (await withRetries(retries, () => applyForeignProfiles(bigtable, profiles, mode))).forEach(onChange);
}

const NO_RETRIES: Retries = { clock: systemClock, random: Math.random, totalMs: 0 };
