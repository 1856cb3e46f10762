import { describe, expect, test } from 'vitest';
import { PRIORITIES, SHED_REASONS } from '../../../../origin/guard/shed-error.ts';
import { createMetrics, type MetricsState } from '../../../../origin/metrics/metrics.ts';
import { COUNTERS, createCounters } from '../../../../shared/runtime/counters.ts';

function setUp(withProcess = false) {
  const counters = createCounters();
  const state = {
    queued: 7,
    executing: 40,
    concurrencyLimit: 400,
    flights: 3,
    isLocalClusterUp: true,
    manifestVersion: 17,
    manifestFailedPolls: 2,
    liveAges: [{ surface: 'home', seconds: 3600 }],
    openReleases: [],
    degradedRegions: [],
    caches: { lists: { bytes: 1_000_000, entries: 500 }, items: { bytes: 2000, entries: 20 } },
  } satisfies MetricsState;
  const metrics = createMetrics({ region: 'asia', counters, state: () => state, withProcess });
  const lines = async (name: string): Promise<string[]> =>
    (await metrics.expose()).body
      .split('\n')
      .filter((line) => line.startsWith(name))
      .map(sortLabels);
  return { counters, metrics, lines };
}

/** Sorted, because the order of labels has no meaning. */
const sortLabels = (line: string): string =>
  line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`);

describe('/metrics', () => {
  test('has every counter of the origin with its meaning, and those that the edge reports, those at 0 too', async () => {
    const { counters, metrics } = setUp();
    counters.add('origin_reads_total', 41);
    const { body, contentType } = await metrics.expose();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    const labelled = new Set(metrics.describe().flatMap(({ name, labels }) => (labels.length > 0 ? [name] : [])));
    const plain = Object.entries(COUNTERS).filter(
      ([name]) => name.startsWith('origin_') && !labelled.has(`earshot_${name}`),
    );
    expect(plain.length).toBeGreaterThan(5);
    for (const [name, help] of plain) {
      expect(body).toContain(`# HELP earshot_${name} ${help}\n# TYPE earshot_${name} counter\n`);
      expect(body).toContain(`\nearshot_${name}{region="asia"} ${name === 'origin_reads_total' ? 41 : 0}\n`);
    }
    expect(body).toContain('\nearshot_edge_requests_total{region="asia"} 0\n');
    expect(body).toContain('\nearshot_region_reads_total{region="asia"} 0\n');
  });

  test('adds the reports of the edge, and ignores counters that it does not know or that are its own', async () => {
    const { metrics, lines } = setUp();
    const counts = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
    const report = (counters: Record<string, number>) =>
      metrics.addEdgeReport({ counters, answers: { ok: { counts, seconds: 7.08 } } });
    report({ edge_requests_total: 5, region_hits_total: 3, origin_reads_total: 9, edge_of_tomorrow_total: 1 });
    report({ edge_requests_total: 2 });
    expect(await lines('earshot_edge_requests_total{')).toEqual(['earshot_edge_requests_total{region="asia"} 7']);
    expect(await lines('earshot_region_hits_total{')).toEqual(['earshot_region_hits_total{region="asia"} 3']);
    expect(await lines('earshot_origin_reads_total{')).toEqual(['earshot_origin_reads_total{region="asia"} 0']);
    expect(await lines('earshot_edge_of_tomorrow')).toEqual([]);
    const ok = (name: string, le = '') => `earshot_edge_answer_seconds_${name}{${le}outcome="ok",region="asia"}`;
    const of = await lines('earshot_edge_answer_seconds');
    expect(of).toContain(`${ok('bucket', 'le="0.025",')} 0`);
    expect(of).toContain(`${ok('bucket', 'le="0.05",')} 4`);
    expect(of).toContain(`${ok('bucket', 'le="5",')} 4`);
    expect(of).toContain(`${ok('count')} 6`);
    expect(of).toContain(`${ok('sum')} 14.16`);
  });

  test('has the age of the live data of each surface', async () => {
    const { lines } = setUp();
    expect(await lines('earshot_live_generation_age_seconds{')).toEqual([
      'earshot_live_generation_age_seconds{region="asia",surface="home"} 3600',
    ]);
  });

  test('tells what has been counted until it is asked, and not twice', async () => {
    const { counters, lines } = setUp();
    counters.add('origin_absent_total', 2);
    await lines('x');
    counters.add('origin_absent_total', 3);
    expect(await lines('earshot_origin_absent_total{')).toEqual(['earshot_origin_absent_total{region="asia"} 5']);
  });

  test('has reads and calls as histograms by outcome', async () => {
    const { metrics, lines } = setUp();
    metrics.observeRead(0.004, 'ok');
    metrics.observeRead(0.3, 'ok');
    metrics.observeRead(2, 'deadline');
    metrics.observeCall({ table: 'items', keys: 60, seconds: 0.004, outcome: 'ok' });
    expect(await lines('earshot_origin_read_seconds_count')).toEqual([
      'earshot_origin_read_seconds_count{outcome="ok",region="asia"} 2',
      'earshot_origin_read_seconds_count{outcome="shed",region="asia"} 0',
      'earshot_origin_read_seconds_count{outcome="deadline",region="asia"} 1',
      'earshot_origin_read_seconds_count{outcome="error",region="asia"} 0',
    ]);
    const read = await lines('earshot_origin_read_seconds_bucket');
    expect(read).toContain('earshot_origin_read_seconds_bucket{le="0.003",outcome="ok",region="asia"} 0');
    expect(read).toContain('earshot_origin_read_seconds_bucket{le="0.005",outcome="ok",region="asia"} 1');
    expect(read.filter((line) => line.includes('outcome="ok"'))).toHaveLength(18);
    expect(await lines('earshot_origin_bigtable_call_seconds_count')).toEqual([
      'earshot_origin_bigtable_call_seconds_count{outcome="ok",region="asia",table="items"} 1',
    ]);
    expect(await lines('earshot_origin_bigtable_call_keys')).toContain(
      'earshot_origin_bigtable_call_keys_bucket{le="100",region="asia"} 1',
    );
  });

  test('names failed calls by their status', async () => {
    const { metrics, lines } = setUp();
    for (const code of [14, 14, 4, 99])
      metrics.observeCall({ table: 'recommendations', keys: 1, seconds: 1, outcome: 'error', code });
    expect((await lines('earshot_origin_bigtable_errors_total{')).sort()).toEqual([
      'earshot_origin_bigtable_errors_total{code="DEADLINE_EXCEEDED",region="asia"} 1',
      'earshot_origin_bigtable_errors_total{code="UNAVAILABLE",region="asia"} 2',
      'earshot_origin_bigtable_errors_total{code="UNKNOWN",region="asia"} 1',
    ]);
  });

  test('counts sheds and hedges', async () => {
    const { metrics, lines } = setUp();
    const before = await lines('earshot_origin_shed_total{');
    expect(before).toHaveLength(SHED_REASONS.length * PRIORITIES.length);
    expect(before.every((line) => line.endsWith(' 0'))).toBe(true);
    metrics.shed('queue_full', 'foreground');
    metrics.shed('background', 'background');
    metrics.hedge('won');
    expect((await lines('earshot_origin_shed_total{')).filter((line) => !line.endsWith(' 0'))).toEqual([
      'earshot_origin_shed_total{priority="foreground",reason="queue_full",region="asia"} 1',
      'earshot_origin_shed_total{priority="background",reason="background",region="asia"} 1',
    ]);
    expect(await lines('earshot_origin_hedges_total{')).toEqual([
      'earshot_origin_hedges_total{outcome="won",region="asia"} 1',
      'earshot_origin_hedges_total{outcome="lost",region="asia"} 0',
      'earshot_origin_hedges_total{outcome="denied",region="asia"} 0',
    ]);
  });

  test('has gauges of the moment at which it is asked', async () => {
    const { metrics } = setUp();
    const { body } = await metrics.expose();
    for (const line of [
      'earshot_origin_queue_depth{region="asia"} 7',
      'earshot_origin_executing{region="asia"} 40',
      'earshot_origin_concurrency_limit{region="asia"} 400',
      'earshot_origin_flights{region="asia"} 3',
      'earshot_origin_local_cluster_up{region="asia"} 1',
      'earshot_origin_cached_bytes{cache="lists",region="asia"} 1000000',
      'earshot_origin_cached_entries{cache="items",region="asia"} 20',
    ])
      expect(body.split('\n').map(sortLabels)).toContain(line);
  });

  test('has the process too, unless that is not wanted', async () => {
    const { body } = await setUp(true).metrics.expose();
    expect(body).toMatch(/^nodejs_eventloop_lag_p99_seconds\{region="asia"\} /m);
    expect(body).toMatch(/^process_resident_memory_bytes\{region="asia"\} \d+$/m);
    expect((await setUp(false).metrics.expose()).body).not.toContain('nodejs_');
  });

  test('does not mix two that are made in one process', async () => {
    const [one, other] = [setUp(), setUp()];
    one.metrics.hedge('won');
    expect(await other.lines('earshot_origin_hedges_total{outcome="won"')).toEqual([expect.stringMatching(/ 0$/)]);
  });
});
