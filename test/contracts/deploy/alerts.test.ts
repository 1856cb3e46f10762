// The alerts on recorded figures of faults, with Prometheus' own tool. A fault of the read path comes after an hour of
// health, and a recorded second of either stands for a minute.
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

const recordingOf = (name: string): Recorded =>
  JSON.parse(readFileSync(join(directory, 'recorded', `${name}.json`), 'utf8')) as Recorded;

const read = (name: string): Series => expandSeries(recordingOf(name));

/** The alerts that are for a recorded fault of the read path. Others may fire, too. */
const FAULTS: Readonly<Record<string, readonly string[]>> = {
  'region-down': ['EarshotRegionEjected'],
  'regions-failing': ['EarshotBudgetUsedUp'],
  'cluster-down': ['EarshotClusterDown'],
  'clusters-slow': ['EarshotLatencyBurn'],
  'clusters-down': ['EarshotErrorsBurn', 'EarshotFreshnessBurn', 'EarshotBigtableFails'],
  'lists-gone': ['EarshotListsMissing'],
  'queue-down': ['EarshotExposuresLost'],
  strangers: ['EarshotStrangers'],
  overload: ['EarshotShedding'],
  starved: ['EarshotProcessSlow'],
  'origin-killed': ['EarshotOriginDown'],
  'edge-gone': ['EarshotEdgeSilent'],
};
/** The alerts of a little of a fault now and then, for days. */
const LASTING: readonly (readonly [alert: string, fault: string])[] = [
  ['EarshotErrorsBurnSlowly', 'clusters-down'],
  ['EarshotLatencyBurnSlowly', 'clusters-slow'],
  ['EarshotFreshnessBurnSlowly', 'clusters-down'],
];
/** The alerts of faults of publications, which are recorded in real time. */
const PUBLISHING = [
  ...['EarshotManifestUnreadable', 'EarshotManifestsDiffer'],
  ...['EarshotHeartbeatStopped', 'EarshotReleaseStalled'],
];
const PUBLISHING_HEALTHY_SECONDS = 240;

type Series = Readonly<Record<string, readonly (number | null)[]>>;

const lengthOf = (series: Series): number => Math.max(...Object.values(series).map(({ length }) => length));
const isCounter = (name: string): boolean => /_(total|count|sum|bucket)(\{|$)/.test(name);

/** One part after the other: counters go on from their last value. A series that a part lacks is 0 or absent there. */
function concat(parts: readonly Series[]): Series {
  const names = [...new Set(parts.flatMap((part) => Object.keys(part)))];
  const lengths = parts.map(lengthOf);
  return Object.fromEntries(
    names.map((name) => {
      const all: (number | null)[] = [];
      let last = 0;
      parts.forEach((part, i) => {
        const values = part[name] ?? new Array<number>(lengths[i] ?? 0).fill(0);
        const first = values.find((value) => value !== null) ?? 0;
        const shift = isCounter(name) ? last - first : 0;
        for (const value of values) all.push(value === null ? null : value + shift);
        last = all.findLast((value) => value !== null) ?? 0;
      });
      return [name, all];
    }),
  );
}

/** Recorded seconds stand for minutes, but these series are of real seconds. */
const IN_REAL_TIME = ['earshot_origin_heartbeats_total', 'earshot_release_stalled_seconds'];

const readScaled = (name: string): Series =>
  Object.fromEntries(
    Object.entries(read(name)).filter(([series]) => !IN_REAL_TIME.some((each) => series.startsWith(each))),
  );

/** In the tests of days a recorded second stands for this long, and a minute of health for five hours. */
const LONG_STEP_SECONDS = 300;
/** After each minute of health come three seconds of the middle of a fault. */
const MIDDLE = [30, 33] as const;
const MINUTES_OF_DAYS = 16;

/** The series that the burn rates are made of. */
const ofBurnRates = (series: Series): Series =>
  Object.fromEntries(
    Object.entries(series).filter(([name]) =>
      /^earshot_edge_(answer_seconds|stale_if_error|previous|reads)/.test(name),
    ),
  );

const days = (...parts: readonly Series[]): Series =>
  concat(Array.from({ length: MINUTES_OF_DAYS }, () => parts.map(ofBurnRates)).flat());

const middleOf = (series: Series): Series =>
  Object.fromEntries(Object.entries(series).map(([name, values]) => [name, values.slice(...MIDDLE)]));

const DAY_SECONDS = 86_400;

/** The recorded figures with lists of this age: the lists of the measurement are a week old. */
const withAge = (series: Series, seconds: number): Series =>
  Object.fromEntries(
    Object.entries(series).map(([name, values]) =>
      name.startsWith('earshot_live_generation_age_seconds') ? [name, values.map(() => seconds)] : [name, values],
    ),
  );

/** The alerts that fire at each of `samples`, by their index. */
function firingAt(series: Series, samples: readonly number[], stepSeconds = 60): string[] {
  const work = mkdtempSync(join(tmpdir(), 'earshot-alerts-'));
  onTestFinished(() => rmSync(work, { recursive: true }));
  const alerts = [...readFileSync(rules, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
  const input = Object.entries(series).map(([name, values]) => ({
    series: name,
    values: values.map((value) => (value === null ? '_' : String(value))).join(' '),
  }));
  const expected = samples.flatMap((sample) =>
    alerts.map((alertname) => ({ eval_time: `${sample * stepSeconds}s`, alertname, exp_alerts: [] })),
  );
  const interval = `${stepSeconds}s`;
  const tests = [{ interval, input_series: input, alert_rule_test: expected }];
  const file = join(work, 'test.json');
  writeFileSync(file, JSON.stringify({ rule_files: [rules], evaluation_interval: interval, tests }));
  const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  const output = stdout + stderr;
  // The tool reports each alert that fires, because none is expected.
  const firing = [...output.matchAll(/alertname: (\w+), time: \w+, *\n? *exp:\[\s*\], *\n? *got:\[\s*\S/g)];
  if (!/SUCCESS|FAILED/.test(output) || /parse|unmarshal/i.test(output)) throw new Error(output.slice(0, 2000));
  return firing.map(([, name = '']) => name);
}

describe.skipIf(!hasPromtool && !isRequired)('the alerts', () => {
  const health = () => withAge(readScaled('health'), DAY_SECONDS);

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

  test('are silent in each minute of an hour of health', () => {
    const series = health();
    const minutes = Array.from({ length: lengthOf(series) }, (_, minute) => minute);
    expect(firingAt(series, minutes)).toEqual([]);
  });

  test('are silent in days of health', () => {
    const series = days(health());
    expect(firingAt(series, [lengthOf(series) - 1], LONG_STEP_SECONDS)).toEqual([]);
  });

  test('tell that the lists of the recording are a week old', () => {
    expect(firingAt(readScaled('health'), [59])).toEqual(['EarshotDataLate']);
  });

  test.each(Object.entries(FAULTS))('%s fires %j', (name, expected) => {
    const series = concat([health(), withAge(readScaled(name), DAY_SECONDS)]);
    expect(firingAt(series, [lengthOf(series) - 1])).toEqual(expect.arrayContaining([...expected]));
  });

  test.each(LASTING)('%s is for a little of %s now and then', (alert, fault) => {
    const series = days(health(), middleOf(readScaled(fault)));
    expect((LONG_STEP_SECONDS * lengthOf(series)) / DAY_SECONDS).toBeGreaterThan(3);
    expect(firingAt(series, [lengthOf(series) - 1], LONG_STEP_SECONDS)).toContain(alert);
  });

  test('tell each fault of publications, and nothing before it', () => {
    const recorded = withAge(read('publishing'), DAY_SECONDS);
    const { stepSeconds } = recordingOf('publishing');
    const healthy = Array.from({ length: PUBLISHING_HEALTHY_SECONDS / stepSeconds }, (_, sample) => sample);
    expect(firingAt(recorded, healthy, stepSeconds)).toEqual([]);
    const firing = firingAt(recorded, [lengthOf(recorded) - 1], stepSeconds);
    expect(firing).toEqual(expect.arrayContaining(PUBLISHING));
  });

  test('each have a recorded fault, and each recording has a test', () => {
    const recorded = readdirSync(join(directory, 'recorded')).map((file) => file.replace('.json', ''));
    expect(recorded.sort()).toEqual(['health', 'publishing', ...Object.keys(FAULTS)].sort());
    const tested = [...Object.values(FAULTS).flat(), ...LASTING.map(([alert]) => alert), ...PUBLISHING];
    const alerts = [...readFileSync(rules, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    expect(['EarshotDataLate', ...tested].sort()).toEqual(alerts.sort());
  });
});
