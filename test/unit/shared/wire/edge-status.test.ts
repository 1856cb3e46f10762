import { expect, test } from 'vitest';
import { createCounters } from '../../../../shared/runtime/counters.ts';
import { edgeStatusSchema } from '../../../../shared/wire/edge-status.ts';

const MANIFEST = { state: 'unread', regions: [] };
const status = (counters: object) => ({ regions: [], manifest: MANIFEST, budget: { tokens: 1, reserve: 1 }, counters });

test('the counters of a worker of another build: a missing one is 0, and an unknown one is left out', () => {
  const { edge_reports_failed_total: _newer, ...older } = createCounters().snapshot();
  const parsed = edgeStatusSchema.parse(status({ ...older, edge_requests_total: 7, edge_of_tomorrow_total: 3 }));
  expect(parsed.counters.edge_requests_total).toBe(7);
  expect(parsed.counters.edge_reports_failed_total).toBe(0);
  expect(Object.keys(parsed.counters).sort()).toEqual(Object.keys(createCounters().snapshot()).sort());
  expect(edgeStatusSchema.safeParse(status({ edge_requests_total: 'many' })).success).toBe(false);
});
