import { expect, test } from 'vitest';
import { createUnreported } from '../../../edge/report/unreported.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { type EdgeReport, EDGE_REPORT_PATH as REPORT } from '../../../shared/wire/edge/edge-report.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const PATH = '/v1/me/recommendations/home';

const start = (env: object = {}): Harness => createHarness({ env: { REPORT_SECONDS: '60', ...env } });

const reportsOf = (edge: Harness) =>
  edge.origins.calls
    .filter(({ path }) => path === REPORT)
    .map(({ region, body }) => ({ region, ...(JSON.parse(body ?? '') as EdgeReport) }));

const answersOf = ({ answers }: { answers: Record<string, { counts: number[] } | undefined> }) =>
  Object.fromEntries(
    Object.entries(answers).map(([outcome, of]) => [outcome, of?.counts.reduce((sum, count) => sum + count, 0)]),
  );

test('an isolate reports the increases of its counters, once in a minute with requests', async () => {
  const edge = start();
  await edge.get(PATH);
  await edge.get(PATH, { authorization: null });
  expect(reportsOf(edge)).toHaveLength(1);
  edge.clock.advance(59_999);
  await edge.get(PATH);
  expect(reportsOf(edge)).toHaveLength(1);
  edge.clock.advance(1);
  await edge.get(PATH);
  const [first, second] = reportsOf(edge);
  expect(first?.counters.edge_requests_total).toBe(1);
  expect(second?.counters.edge_requests_total).toBe(3);
  expect(answersOf(second as never)).toEqual({ ok: 0, refused: 3, failed: 0 });
  expect(Object.values(second?.counters ?? {})).not.toContain(0);
});

test('a report that one region does not take goes to the next, and one that none takes is part of the next report', async () => {
  const edge = start();
  edge.origins.behave(404, { path: REPORT, region: 'asia' });
  await edge.get(PATH);
  expect(reportsOf(edge).map(({ region }) => region)).toEqual(['asia', 'europe']);
  edge.origins.behave(500, { path: REPORT });
  edge.clock.advance(60_000);
  await edge.get(PATH);
  expect(reportsOf(edge)).toHaveLength(5);
  edge.origins.behave('up', { path: REPORT });
  edge.clock.advance(60_000);
  await edge.get(PATH);
  const last = reportsOf(edge).at(-1);
  expect(last?.counters).toMatchObject({ edge_requests_total: 2, edge_reports_failed_total: 1 });
  expect(answersOf(last as never)).toEqual({ ok: 0, refused: 2, failed: 0 });
});

test('an answer that comes while no counter rises is part of the next report', () => {
  const counters = createCounters();
  const unreported = createUnreported(counters);
  unreported.addAnswer(200, 5);
  expect(unreported.take()).toBeUndefined();
  counters.add('edge_requests_total');
  expect(answersOf(unreported.take() as never)).toEqual({ ok: 1, refused: 0, failed: 0 });
});

test('with REPORT_SECONDS=0 nothing is reported', async () => {
  const edge = start({ REPORT_SECONDS: '0' });
  await edge.get(PATH);
  edge.clock.advance(3_600_000);
  await edge.get(PATH);
  expect(reportsOf(edge)).toEqual([]);
});

test('the worker and its region objects report together, and no count twice', async () => {
  const edge = start({ REGION_TIER: 'on' });
  await edge.get(PATH);
  edge.clock.advance(60_000);
  await edge.get(PATH, { sub: 'bob' });
  edge.clock.advance(60_000);
  await edge.get(PATH, { sub: 'cid' });
  edge.clock.advance(60_000);
  await edge.get('/v1/nothing');
  const sums: Record<string, number> = {};
  for (const { counters } of reportsOf(edge))
    for (const [name, by] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + by;
  const { edge_requests_total, region_reads_total } = edge.counters.snapshot();
  expect(region_reads_total).toBeGreaterThan(0);
  expect(sums).toMatchObject({ edge_requests_total, region_reads_total });
});
