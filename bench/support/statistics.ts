// Summary statistics of a few measurements.

/** The middle value, or the mean of the two middle values. Throws an Error for an empty array. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new Error('expected at least one value, got none');
  return (low + high) / 2;
}
