import { expect, test } from 'vitest';
import { COUNTERS, createCounters } from '../../../../shared/runtime/counters.ts';

test('a snapshot names every counter, also those at 0', () => {
  const counters = createCounters();
  counters.add('edge_reads_total');
  counters.add('edge_reads_total', 4);
  expect(counters.get('edge_reads_total')).toBe(5);
  expect(Object.keys(counters.snapshot())).toEqual(Object.keys(COUNTERS));
  expect(counters.snapshot().origin_reads_total).toBe(0);
});
