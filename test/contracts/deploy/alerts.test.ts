// The alerts on recorded figures of faults, with Prometheus' own tool. A recording has one sample a second; here it is
// one a minute. A fault comes after an hour of health.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expandSeries, type Recorded } from '../../../bench/recordings/record-metrics.ts';

const directory = join(import.meta.dirname, '../../../deploy/observability');
const rules = join(directory, 'alerts.yml');
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const isRequired = process.env.EARSHOT_REQUIRE_PROMETHEUS === '1';

const read = (name: string): Series =>
  expandSeries(JSON.parse(readFileSync(join(directory, 'recorded', `${name}.json`), 'utf8')) as Recorded);

/** The alerts that are for a recorded fault. Others may fire, too. */
const FAULTS: Readonly<Record<string, readonly string[]>> = {
  'region-down': ['EarshotRegionEjected'],
  'cluster-down': ['EarshotClusterDown'],
  'clusters-slow': ['EarshotLatencyBurn'],
  'lists-gone': ['EarshotListsMissing'],
  'clusters-down': ['EarshotErrorsBurn', 'EarshotFreshnessBurn', 'EarshotBigtableFails'],
};

type Series = Readonly<Record<string, readonly (number | null)[]>>;

const isCounter = (name: string): boolean => /_(total|count|sum|bucket)(\{|$)/.test(name);

/** `first`, then `then`: counters go on from their last value. A series that one of them lacks is 0 or absent there. */
function append(first: Series, then: Series): Series {
  const lengthOf = (series: Series): number => Math.max(...Object.values(series).map(({ length }) => length));
  const [firstLength, thenLength] = [lengthOf(first), lengthOf(then)];
  const names = [...new Set([...Object.keys(first), ...Object.keys(then)])];
  const zeros = (count: number): number[] => new Array<number>(count).fill(0);
  return Object.fromEntries(
    names.map((name) => {
      const before = first[name] ?? zeros(firstLength);
      const after = then[name] ?? zeros(thenLength);
      if (!isCounter(name)) return [name, [...before, ...after]];
      const shift = (before.at(-1) ?? 0) - (after[0] ?? 0);
      return [name, [...before, ...after.map((value) => (value === null ? null : value + shift))]];
    }),
  );
}

const DAY_SECONDS = 86_400;

/** The recorded figures with lists of this age: the lists of the measurement are a week old. */
const withAge = (series: Series, seconds: number): Series =>
  Object.fromEntries(
    Object.entries(series).map(([name, values]) =>
      name.startsWith('earshot_live_generation_age_seconds') ? [name, values.map(() => seconds)] : [name, values],
    ),
  );

/** The alerts that fire at `minute`. */
function firingAt(series: Series, minute: number): string[] {
  const work = mkdtempSync(join(tmpdir(), 'earshot-alerts-'));
  onTestFinished(() => rmSync(work, { recursive: true }));
  const alerts = [...readFileSync(rules, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
  const input = Object.entries(series).map(([name, values]) => ({
    series: name,
    values: values.map((value) => (value === null ? '_' : String(value))).join(' '),
  }));
  const expected = alerts.map((alertname) => ({ eval_time: `${minute}m`, alertname, exp_alerts: [] }));
  const tests = [{ interval: '1m', input_series: input, alert_rule_test: expected }];
  const file = join(work, 'test.json');
  writeFileSync(file, JSON.stringify({ rule_files: [rules], evaluation_interval: '1m', tests }));
  const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  const output = stdout + stderr;
  // The tool reports each alert that fires, because none is expected.
  const firing = [...output.matchAll(/alertname: (\w+), time: \w+, *\n? *exp:\[\s*\], *\n? *got:\[\s*\S/g)];
  if (!/SUCCESS|FAILED/.test(output) || /parse|unmarshal/i.test(output)) throw new Error(output.slice(0, 2000));
  return firing.map(([, name = '']) => name);
}

describe.skipIf(!hasPromtool && !isRequired)('the alerts', () => {
  const health = () => withAge(read('health'), DAY_SECONDS);
  const lengthOf = (series: Series): number => Math.max(...Object.values(series).map(({ length }) => length));

  test('are valid, and each has a heading in the runbook', () => {
    execFileSync('promtool', ['check', 'rules', rules]);
    const text = readFileSync(rules, 'utf8');
    const alerts = [...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    const runbook = readFileSync(join(directory, '../../docs/runbook.md'), 'utf8');
    const headings = [...runbook.matchAll(/^## (Earshot\w+)$/gm)].map(([, name]) => name);
    expect(headings).toEqual(alerts);
    expect([...text.matchAll(/runbook: docs\/runbook.md#(\w+)/g)].map(([, anchor]) => anchor)).toEqual(
      alerts.map((name) => name?.toLowerCase()),
    );
  });

  test('are silent in an hour of health', () => {
    const series = health();
    for (let minute = 9; minute < lengthOf(series); minute += 10) expect(firingAt(series, minute)).toEqual([]);
  });

  test('tell that the lists of the recording are a week old', () => {
    expect(firingAt(read('health'), 59)).toEqual(['EarshotDataLate']);
  });

  test.each(Object.entries(FAULTS))('%s fires %j', (name, expected) => {
    const series = append(health(), withAge(read(name), DAY_SECONDS));
    const firing = firingAt(series, lengthOf(series) - 1);
    expect(firing).toEqual(expect.arrayContaining([...expected]));
  });

  test('have a test for every recording', () => {
    const recorded = readdirSync(join(directory, 'recorded')).map((file) => file.replace('.json', ''));
    expect(recorded.filter((name) => name !== 'health').sort()).toEqual(Object.keys(FAULTS).sort());
  });
});
