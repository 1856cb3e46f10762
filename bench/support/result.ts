// What every measurement gives.

export interface BenchResult {
  /** For people. */
  readonly report: string;
  /** For machines, by name. */
  readonly figures: Readonly<Record<string, number>>;
}
