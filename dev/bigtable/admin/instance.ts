// One Bigtable instance: its tables, app profiles and replication. Every instance has the server's clusters. The first
// call that names an instance creates it, as in Google's emulator.
import type { Clock } from '../../../shared/runtime/clock.ts';
import { applyToPacked } from '../mutations/apply-mutations.ts';
import type { RowMutation } from '../mutations/mutations.ts';
import { type ReplicationSettings, Replicator } from '../replication/replication.ts';
import { dropFamily, type Family, rowsOf, type Table } from '../rows/table.ts';
import { notFound } from '../wire/status.ts';
import { type AppProfile, defaultProfile } from './app-profiles.ts';
import { type InstanceRecord, recordMutation, recordSchema } from './instance-records.ts';

export class Instance {
  readonly name: string;
  readonly clusters: readonly string[];
  /** Tables by full name. */
  readonly tables = new Map<string, Table>();
  readonly profiles = new Map<string, AppProfile>();
  readonly replicator: Replicator;
  readonly #clock: Clock;
  readonly #record: ((record: InstanceRecord) => void) | undefined;

  /** `record` is called with every write before it is applied, and with the schema after every change. */
  constructor(
    name: string,
    clusters: readonly [string, ...string[]],
    settings: ReplicationSettings,
    clock: Clock,
    record?: (record: InstanceRecord) => void,
  ) {
    this.name = name;
    this.clusters = clusters;
    this.replicator = new Replicator(clusters, settings, clock);
    this.#clock = clock;
    this.#record = record;
    this.profiles.set('default', defaultProfile(clusters[0]));
  }

  table(name: string): Table {
    const table = this.tables.get(name);
    if (table === undefined) throw notFound(`Table not found: ${name}`);
    return table;
  }

  /** The empty id means `default`. */
  profile(id: string): AppProfile {
    const profile = this.profiles.get(id || 'default');
    if (profile === undefined) throw notFound(`App profile not found: ${this.name}/appProfiles/${id}`);
    return profile;
  }

  /** Writes one row in `cluster` and replicates it to the other clusters. */
  commit(cluster: string, table: Table, key: string, mutations: readonly RowMutation[]): void {
    const rows = rowsOf(table, cluster);
    this.#record?.({
      ...{ instance: this.name, kind: 'commit', cluster, table: table.name, key },
      mutations: mutations.map(recordMutation),
    });
    const before = rows.getPacked(key);
    const after = applyToPacked(before, mutations);
    rows.setPacked(key, after);
    this.replicator.append(cluster, { table, key, mutations, before, after, committedAtMs: this.#clock.now() });
  }

  /**
   * Removes keys from `low` up to but not including `high` in all clusters at once, pending replicated writes included.
   */
  dropRows(table: Table, low: string, high: string | undefined): void {
    this.#record?.({ instance: this.name, kind: 'drop', table: table.name, low, high });
    this.replicator.cancel(table, low, high);
    for (const rows of table.rows.values()) rows.deleteRange(low, high);
  }

  addTable(table: Table): void {
    this.tables.set(table.name, table);
    this.#recordSchema();
  }

  removeTable(name: string): void {
    for (const family of this.table(name).families.values()) family.dropped = true;
    this.tables.delete(name);
    this.#recordSchema();
  }

  /** Removes the dropped families with their cells, and sets the others. */
  changeFamilies(table: Table, families: ReadonlyMap<string, Family>, dropped: readonly Family[]): void {
    for (const family of dropped) dropFamily(table, family);
    for (const family of families.values()) table.families.set(family.name, family);
    this.#recordSchema();
  }

  setProfile(profile: AppProfile): void {
    this.profiles.set(profile.id, profile);
    this.#recordSchema();
  }

  removeProfile(id: string): void {
    this.profiles.delete(id);
    this.#recordSchema();
  }

  #recordSchema(): void {
    this.#record?.(recordSchema(this));
  }
}

export type Instances = (name: string) => Instance;
