// Failing regions under 200 reads per second, on a manual clock, by counters. The regions are simulated; the choice of
// regions is real.
import { describe, expect, test } from 'vitest';
import { NOWHERE } from '../../../edge/request/place.ts';
import { CONSECUTIVE } from '../../../edge/upstream/outlier-detector.ts';
import { type Fault, p99Of, simulateRegions } from '../support/simulated-regions.ts';

const PER_SECOND = 200;
const RESERVE = 250;

/** Warm: the isolate knows the usual latency of the regions. */
async function setUp(seed = 1) {
  const regions = simulateRegions({ seed });
  const healthy = await regions.offer(PER_SECOND, 5_000);
  expect([healthy.failed, healthy.attemptsAt('us')]).toEqual([0, 0]);
  return { ...regions, healthy };
}

const faults: readonly [string, Fault][] = [
  ['is killed', { kind: 'error' }],
  ['is a black hole', { kind: 'hang' }],
  ['fails 30 % of its reads', { kind: 'error', share: 0.3 }],
  ['takes 500 ms more', { latencyMs: 500 }],
  ['drips for 3 s', { latencyMs: 3_000 }],
];

describe.each(faults)('the nearest region %s', (_what, fault) => {
  test.each([1, 2, 3])('and no answer fails; it is ejected, and back by one probe (seed %i)', async (seed) => {
    const { offer, setFault, heal, log, attempts, counters, now } = await setUp(seed);
    const nextAlone = simulateRegions({ seed });
    nextAlone.setFault({ kind: 'error' }, 'asia');
    await nextAlone.offer(PER_SECOND, 3_000);
    const toNext = await nextAlone.offer(PER_SECOND, 1_000);

    const brokenAtMs = now();
    setFault(fault, 'asia');
    const broken = await offer(PER_SECOND, 5_000);
    expect(broken.failed).toBe(0);

    const ejected = log.find(({ state, atMs }) => state === 'ejected' && atMs >= brokenAtMs);
    expect(ejected?.region).toBe('asia');
    const failedBefore = counters.get('edge_failovers_total') + counters.get('edge_hedges_won_total');
    const ejectedAfterMs = (ejected?.atMs ?? Number.POSITIVE_INFINITY) - brokenAtMs;
    expect(ejectedAfterMs <= 1_000 || failedBefore <= CONSECUTIVE).toBe(true);
    // From 2 s on: the latency of the next region, and only probes reach the broken one.
    const later = broken.answers.filter(({ atMs }) => atMs >= brokenAtMs + 2_000);
    expect(p99Of(later)).toBeLessThanOrEqual(2 * toNext.p99Ms);

    heal();
    const healedAtMs = now();
    const probesBefore = counters.get('edge_probes_total');
    const back = await offer(PER_SECOND, 10_000);
    expect(back.failed).toBe(0);
    const admitted = log.findLast(({ state }) => state === 'healthy');
    expect(admitted?.region).toBe('asia');
    expect((admitted?.atMs ?? Number.POSITIVE_INFINITY) - healedAtMs).toBeLessThanOrEqual(10_000);
    expect(counters.get('edge_probes_total') - probesBefore).toBeLessThanOrEqual(1);
    expect(back.answers.at(-1)?.region).toBe('asia');
    expect(attempts.filter(({ isProbe }) => isProbe)).toHaveLength(counters.get('edge_probes_total'));
  });
});

test('two of three regions down: no answer fails', async () => {
  const { offer, setFault } = await setUp();
  setFault({ kind: 'error' }, 'asia', 'europe');
  const report = await offer(PER_SECOND, 10_000);
  expect(report.failed).toBe(0);
  expect(report.answers.at(-1)?.region).toBe('us');
});

test('two of three regions are black holes: no answer fails', async () => {
  const { offer, setFault, routing } = await setUp();
  setFault({ kind: 'hang' }, 'asia', 'europe');
  let least = RESERVE;
  const report = await offer(PER_SECOND, 10_000, () => {
    least = Math.min(least, routing.status(NOWHERE).budget.tokens);
  });
  // The cost of both until their ejection; the reserve suffices for ten times the reads.
  expect(RESERVE - least).toBeLessThan(30);
  expect(report.failed).toBe(0);
  expect(p99Of(report.answers.slice(400))).toBeLessThan(300);
});

test('everything fails for 60 s: attempts are at most 1.1 times the requests, the reserve and the probes', async () => {
  const { offer, setFault, counters } = await setUp();
  setFault({ kind: 'error' }, 'asia', 'europe', 'us');
  const probes = counters.get('edge_probes_total');
  const report = await offer(PER_SECOND, 60_000);
  expect(report.failed).toBeGreaterThan(0.9 * report.requests);
  expect(report.attempts).toBeLessThanOrEqual(
    1.1 * report.requests + RESERVE + counters.get('edge_probes_total') - probes,
  );
  expect(counters.get('edge_attempts_denied_total')).toBeGreaterThan(0);
});

test('everything is slow: hedges stay within the budget, and no answer fails', async () => {
  const { offer, setFault, counters } = await setUp();
  setFault({ latencyMs: 800 }, 'asia', 'europe', 'us');
  const probes = counters.get('edge_probes_total');
  const report = await offer(PER_SECOND, 30_000);
  expect(report.failed).toBe(0);
  expect(report.attempts).toBeLessThanOrEqual(
    1.1 * report.requests + RESERVE + counters.get('edge_probes_total') - probes,
  );
});

test('1 % of answers delayed by 1 s: the slowest of a thousand is 10 times faster, for at most 5 % more attempts', async () => {
  const near = { asia: 20, europe: 25, us: 30 };
  const regions = simulateRegions({ wayMs: near });
  await regions.offer(PER_SECOND, 2_000);
  regions.setFault({ latencyMs: 1_000, share: 0.01 }, 'asia', 'europe', 'us');
  await regions.offer(PER_SECOND, 5_000);
  const report = await regions.offer(PER_SECOND, 60_000);
  expect(report.failed).toBe(0);
  expect(report.p999Ms).toBeLessThanOrEqual(1_020 / 10);
  expect(report.attempts).toBeLessThanOrEqual(1.05 * report.requests);
});

test('a region that flaps, up and down every 2 s for 5 minutes, costs no failed answer', async () => {
  const { offer, setFault, heal } = await setUp();
  const report = await offer(PER_SECOND, 300_000, (sinceMs) => {
    if (sinceMs % 4_000 === 0) setFault({ kind: 'error' }, 'asia');
    if (sinceMs % 4_000 === 2_000) heal();
  });
  expect(report.failed).toBe(0);
  expect(report.requests).toBe(60_000);
});

test('a region that sheds is not ejected, gets no hedges, and keeps only the reads without another region', async () => {
  const { offer, setFault, log, counters } = await setUp();
  setFault({ kind: 'shed', share: 0.5 }, 'asia');
  const hedges = counters.get('edge_hedges_total');
  const report = await offer(PER_SECOND, 10_000);
  expect(log).toEqual([]);
  expect(counters.get('edge_hedges_total') - hedges).toBe(0);
  expect(report.attemptsAt('europe')).toBeLessThanOrEqual(0.1 * report.requests + RESERVE);
});

test('the losing attempt is cancelled', async () => {
  const { offer, setFault, attempts } = await setUp();
  const before = attempts.length;
  setFault({ kind: 'hang' }, 'asia');
  await offer(PER_SECOND, 50);
  const since = attempts.slice(before);
  expect(since.filter(({ region }) => region === 'asia').every(({ isCancelled }) => isCancelled)).toBe(true);
  expect(since.filter(({ region }) => region === 'europe').some(({ isCancelled }) => isCancelled)).toBe(false);
});
