// A histogram over the values of one label, for what every read observes. It exposes what prom-client's own would, and is registered with it.
// prom-client finds the counts of an observation under texts that it makes each time, of the labels and of the bucket's bound; of a list from
// memory that was a tenth (docs/decisions/0014). Here they are found by number.
import type { Histogram, Registry } from 'prom-client';

export interface LabelledHistogram<V extends string> {
  /** `labelValue`: one of those that were given. */
  observe(value: number, labelValue: V): void;
}

export interface LabelledHistogramOptions<V extends string> {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  /** All that the label will ever be; exposed from the start, at 0. */
  readonly labelValues: readonly V[];
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
  readonly registry: Registry;
}

/** Of one value of the label. */
interface Series {
  /** Of each bucket, without those below it; the last is of what is above all bounds. */
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
  // The type asks for one of prom-client's own classes; this is what its registry uses of them.
  registry.registerMetric({ ...described, get } as unknown as Histogram);

  return {
    observe: (value, labelValue) => {
      const found = series.get(labelValue) as Series;
      let bucket = 0;
      while (bucket < buckets.length && value > (buckets[bucket] as number)) bucket++;
      found.counts[bucket] = (found.counts[bucket] as number) + 1;
      found.sum += value;
    },
  };
}
