// One step of applying the schema: its subject and its outcome.
export interface SchemaChange {
  /** The wanted part in words, or one that is not ours. */
  readonly what: string;
  /**
   * `left`: a difference that only `allowDestructive` sets right. `foreign`: not ours, so no difference. `dropped`: one
   * that was not ours, and is deleted.
   */
  readonly done: 'created' | 'updated' | 'unchanged' | 'skipped' | 'left' | 'foreign' | 'dropped';
  /** The found part in words, if it differs. */
  readonly was?: string;
  readonly why?: string;
}

export interface ApplyMode {
  /** Looks, and changes nothing. */
  readonly dryRun: boolean;
  /** Also steps that delete data: stricter rules of garbage collection, and parts that are not ours. */
  readonly allowDestructive: boolean;
}

/** The outcome for a part that is not ours. */
export const foreignChange = (what: string, { allowDestructive }: ApplyMode): SchemaChange =>
  allowDestructive
    ? { what, done: 'dropped' }
    : { what, done: 'foreign', why: 'not ours; --allow-destructive drops it' };
