// Result of a measurement.

export interface BenchResult {
  /** Text for the terminal. */
  readonly report: string;
  /** Figures by name, for scripts. */
  readonly figures: Readonly<Record<string, number | readonly object[]>>;
}
