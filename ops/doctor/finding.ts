// The outcome of one check.
export interface Finding {
  readonly check: string;
  /** `skipped`: it could not be looked at from here. */
  readonly state: 'ok' | 'failed' | 'skipped';
  readonly found: string;
  /** For a failure: what to do. */
  readonly remedy?: string;
}

export const ok = (check: string, found: string): Finding => ({ check, state: 'ok', found });
export const skipped = (check: string, found: string): Finding => ({ check, state: 'skipped', found });
export const failed = (check: string, found: string, remedy: string): Finding => ({
  check,
  state: 'failed',
  found,
  remedy,
});

/** The failures, or one `ok` if there are none. */
export const allOf = (check: string, failures: readonly Finding[], found: string): readonly Finding[] =>
  failures.length === 0 ? [ok(check, found)] : failures;
