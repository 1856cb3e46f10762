// A histogram with one label, for observations on the hot path. It exposes the same as prom-client's, but finds its
// counts by number instead of by strings made for each observation (docs/decisions/0014).
import type { Histogram, Registry } from 'prom-client';

export interface LabelledHistogram<V extends string> {
  /** `labelValue`: one of the configured values. */
  observe(value: number, labelValue: V): void;
  /** Adds counts per bucket, not cumulative, and the sum of their values. */
  merge(counts: readonly number[], sum: number, labelValue: V): void;
}

export interface LabelledHistogramOptions<V extends string> {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  /** All values of the label, exposed from the start. */
  readonly labelValues: readonly V[];
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
  readonly registry: Registry;
}

interface Series {
  /** Observations per bucket, not cumulative. The last bucket has no bound. */
  readonly counts: Float64Array;
  sum: number;
}

export function createLabelledHistogram<V extends string>(options: LabelledHistogramOptions<V>): LabelledHistogram<V> {
  const { name, help, label, labelValues, buckets, registry } = options;
  const newSeries = (): Series => ({ counts: new Float64Array(buckets.length + 1), sum: 0 });
  const described = { name, help, type: 'histogram', labelNames: [label] };
  const series = new Map<V, Series>(labelValues.map((value) => [value, newSeries()]));

  const get = async () => ({
    ...described,
    aggregator: 'sum',
    values: [...series].flatMap(([labelValue, { counts, sum }]) => {
      let below = 0;
      const line = (suffix: string, value: number, labels: Record<string, string | number>) => ({
        metricName: `${name}_${suffix}`,
        value,
        labels: { ...labels, [label]: labelValue },
      });
      const bounds = [...buckets, '+Inf'].map((le, i) => {
        below += counts[i] ?? 0;
        return line('bucket', below, { le });
      });
      return [...bounds, line('sum', sum, {}), line('count', below, {})];
    }),
  });
  // The type requires a class of prom-client; its registry uses only these members.
  registry.registerMetric({ ...described, get } as unknown as Histogram);

  return {
    merge: (counts, sum, labelValue) => {
      const found = series.get(labelValue) as Series;
      for (const [i, by] of counts.entries()) found.counts[i] = (found.counts[i] as number) + by;
      found.sum += sum;
    },
    observe: (value, labelValue) => {
      const found = series.get(labelValue) as Series;
      let bucket = 0;
      while (bucket < buckets.length && value > (buckets[bucket] as number)) bucket++;
      found.counts[bucket] = (found.counts[bucket] as number) + 1;
      found.sum += value;
    },
  };
}
