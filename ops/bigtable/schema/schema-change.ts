// One step of applying the schema: its subject and its outcome.
export interface SchemaChange {
  readonly what: string;
  readonly done: 'created' | 'updated' | 'unchanged' | 'skipped';
  readonly why?: string;
}
