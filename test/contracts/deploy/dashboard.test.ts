// The dashboard: its metrics exist, and Prometheus answers every query of a panel from the recorded hour of health.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { expandSeries, type Recorded } from '../../../bench/recordings/record-metrics.ts';
import { findFreePorts } from '../../../bench/support/free-ports.ts';
import { createMetrics } from '../../../origin/metrics/metrics.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { eventually } from '../../support/waiting.ts';

const directory = join(import.meta.dirname, '../../../deploy/observability');
const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;
const isRequired = process.env.EARSHOT_REQUIRE_PROMETHEUS === '1';

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(readFileSync(join(directory, 'dashboard.json'), 'utf8')) as { panels: Panel[] };
const alerts = readFileSync(join(directory, 'alerts.yml'), 'utf8');
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
);
const rules = [...alerts.matchAll(/- record: (\S+)\n +expr: (.*)/g)].map(([, name = '', expr = '']) => [name, expr]);

test('every metric of the dashboard and of the alerts exists', () => {
  const known = new Set(['up', ...rules.map(([name]) => name)]);
  const metrics = createMetrics({ region: 'asia', counters: createCounters(), state: () => ({}) as never });
  for (const { name, type } of metrics.describe()) {
    known.add(name);
    if (type === 'histogram') for (const part of ['bucket', 'count', 'sum']) known.add(`${name}_${part}`);
  }
  const texts = [...queries.map(([, expr]) => expr), ...alerts.split('\n').filter((line) => line.includes('expr:'))];
  const named = texts.flatMap((text) => text.match(/\b(earshot[\w:]+|(nodejs|process)_\w+|up)\b(?!")/g) ?? []);
  expect(new Set(named).size).toBeGreaterThan(30);
  expect([...new Set(named)].filter((name) => !known.has(name) && name !== 'earshot')).toEqual([]);
});

test('every panel has queries, and no two have the same title', () => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');
  expect(panels.filter(({ targets = [] }) => targets.length === 0)).toEqual([]);
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
});

describe.skipIf(!hasPrometheus && !isRequired)('with the recorded hour', () => {
  let data: string;
  let endSeconds: number;

  beforeAll(() => {
    data = mkdtempSync(join(tmpdir(), 'earshot-prometheus-'));
    const file = join(data, 'metrics.txt');
    const recorded = JSON.parse(readFileSync(join(directory, 'recorded/health.json'), 'utf8')) as Recorded;
    const startSeconds = Math.floor(Date.now() / 1000) - 60 * (recorded.samples + 10);
    endSeconds = startSeconds + 60 * (recorded.samples - 1);
    writeFileSync(file, toOpenMetrics(expandSeries(recorded), startSeconds));
    execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, join(data, 'tsdb')]);
    return () => rmSync(data, { recursive: true });
  });

  test('no query of a panel is empty', async () => {
    const [port = 0] = await findFreePorts(1);
    const server = startPrometheus(data, port);
    onTestFinished(async () => {
      server.kill('SIGTERM');
      if (server.exitCode === null) await once(server, 'exit');
    });
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => expect((await fetch(`${url}/-/ready`)).status).toBe(200));
    const empty: string[] = [];
    for (const [title, expr] of queries) {
      const query = withoutRules(expr).replaceAll('$__rate_interval', '5m');
      const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query, time: String(endSeconds) })}`);
      const { data: found, error } = (await answer.json()) as { data?: { result: unknown[] }; error?: string };
      if (error !== undefined) throw new Error(`${title}: ${error}`);
      if (found?.result.length === 0) empty.push(`${title}: ${query}`);
    }
    expect(queries.length).toBeGreaterThan(30);
    expect(empty).toEqual([]);
  });
});

/** Recording rules by their expressions: the recorded hour has no results of rules. */
const withoutRules = (expr: string): string =>
  rules.reduce((text, [name = '', of]) => text.replaceAll(name, `(${of})`), expr);

/** Samples of one series after the other, as the tool expects. */
function toOpenMetrics(series: Readonly<Record<string, readonly (number | null)[]>>, startSeconds: number): string {
  const byMetric = Map.groupBy(Object.entries(series), ([name]) => name.slice(0, name.indexOf('{')));
  const lines = [...byMetric].flatMap(([metric, all]) => [
    `# TYPE ${metric} unknown`,
    ...all.flatMap(([name, values]) =>
      values.flatMap((value, i) => (value === null ? [] : [`${name} ${value} ${startSeconds + 60 * i}`])),
    ),
  ]);
  return `${lines.join('\n')}\n# EOF\n`;
}

function startPrometheus(work: string, port: number): ChildProcess {
  const config = join(work, 'prometheus.yml');
  writeFileSync(config, 'global: {}\n');
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(work, 'tsdb')}`];
  return spawn('prometheus', [...args, `--web.listen-address=127.0.0.1:${port}`, '--storage.tsdb.retention.time=10y'], {
    stdio: 'ignore',
  });
}
