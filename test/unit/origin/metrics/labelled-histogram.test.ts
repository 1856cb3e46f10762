import { AggregatorRegistry, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createLabelledHistogram } from '../../../../origin/metrics/labelled-histogram.ts';

const described = { name: 'read_seconds', help: 'time of reads' };
const labelValues = ['ok', 'shed'] as const;
const buckets = [0.001, 0.01, 1];

function setUp() {
  const theirs = new Registry();
  const registry = new Registry();
  for (const each of [theirs, registry]) each.setDefaultLabels({ region: 'asia' });
  const original = new Histogram({ ...described, labelNames: ['outcome'], buckets, registers: [theirs] });
  for (const outcome of labelValues) original.zero({ outcome });
  const ours = createLabelledHistogram({ ...described, label: 'outcome', labelValues, buckets, registry });
  const observe = (value: number, outcome: 'ok' | 'shed'): void => {
    ours.observe(value, outcome);
    original.observe({ outcome }, value);
  };
  return { theirs, registry, observe };
}

/** The exposed lines, with the labels of each line sorted by name: their order has no meaning. */
const linesOf = async (registry: { metrics(): Promise<string> }): Promise<string[]> =>
  (await registry.metrics())
    .split('\n')
    .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`));

test('exposes what the histogram of prom-client exposes of the same observations', async () => {
  const { theirs, registry, observe } = setUp();
  expect(await linesOf(registry)).toEqual(await linesOf(theirs));
  for (let i = 0; i < 1000; i++) observe(10 ** ((i % 600) / 100 - 5), i % 5 === 0 ? 'shed' : 'ok');
  for (const bound of [0, ...buckets, 2]) observe(bound, 'ok');
  const lines = await linesOf(registry);
  expect(lines).toEqual(await linesOf(theirs));
  expect(lines).toContain('read_seconds_count{outcome="shed",region="asia"} 200');
});

test('is summed with that of another process as that of prom-client is', async () => {
  const { theirs, registry, observe } = setUp();
  observe(0.5, 'ok');
  const sum = async (of: Registry) =>
    linesOf(AggregatorRegistry.aggregate([await of.getMetricsAsJSON(), await of.getMetricsAsJSON()]));
  expect(await sum(registry)).toEqual(await sum(theirs));
  expect(await sum(registry)).toContain('read_seconds_sum{outcome="ok",region="asia"} 1');
});
