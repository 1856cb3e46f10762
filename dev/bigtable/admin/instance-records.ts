// Records of an instance for a journal: committed rows, dropped ranges, and the schema after each change.
import type { RowMutation } from '../mutations/mutations.ts';
import type { Table } from '../rows/table.ts';
import type { BackupInfo, GcRule } from '../wire/messages.ts';
import type { AppProfile } from './app-profiles.ts';

export type InstanceRecord = { readonly instance: string } & (
  | { readonly kind: 'schema'; readonly tables: readonly TableRecord[]; readonly profiles: readonly AppProfile[] }
  | {
      readonly kind: 'commit';
      readonly cluster: string;
      readonly table: string;
      readonly key: string;
      readonly mutations: readonly RecordedMutation[];
    }
  | { readonly kind: 'drop'; readonly table: string; readonly low: string; readonly high: string | undefined }
);

interface TableRecord {
  readonly name: string;
  readonly splits: readonly string[];
  readonly families: readonly { readonly name: string; readonly gcRule: GcRule | null }[];
  /** Absent for a table that was not restored. */
  readonly restoredFrom?: BackupInfo;
}

/** A mutation with the name of its family. */
export type RecordedMutation = RowMutation extends infer M
  ? M extends { family: unknown }
    ? Omit<M, 'family'> & { readonly family: string }
    : M
  : never;

interface Schema {
  readonly name: string;
  readonly tables: ReadonlyMap<string, Table>;
  readonly profiles: ReadonlyMap<string, AppProfile>;
}

export const recordSchema = ({ name, tables, profiles }: Schema): InstanceRecord => ({
  instance: name,
  kind: 'schema',
  tables: [...tables.values()].map(({ name: table, splits, families, restoredFrom }) => ({
    name: table,
    splits,
    ...(restoredFrom === undefined ? {} : { restoredFrom }),
    families: [...families.values()].map(({ name: family, gcRule }) => ({ name: family, gcRule })),
  })),
  profiles: [...profiles.values()],
});

export const recordMutation = (mutation: RowMutation): RecordedMutation =>
  'family' in mutation ? { ...mutation, family: mutation.family.name } : mutation;
