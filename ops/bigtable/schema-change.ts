// What applying the schema reports, a change at a time.

/** One line about one thing: what it is, and what was done to it. */
export interface SchemaChange {
  readonly what: string;
  readonly done: 'created' | 'updated' | 'unchanged' | 'skipped';
  readonly why?: string;
}
