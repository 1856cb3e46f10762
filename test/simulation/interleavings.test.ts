// Random reads, refreshes, flips, erasures, failures and losses over three regions, on a clock and in an order that
// chance draws: no list is served to the wrong user, none older than its bound, none from before an erasure. The code
// is the worker's own, in real workerd; around it everything that takes time is scripted (support/interleavings), so
// that a script and a seed say everything about a run.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../edge/config.ts';
import { type CounterName, createCounters } from '../../shared/runtime/counters.ts';
import { TEST_ENV } from '../workerd/support/harness.ts';
import { PLAIN_GLOBALS } from './platform/plain-platform.ts';
import { runInterleaving, tellInterleaving } from './run.ts';

const RUNS_PER_SEED = 25_000;
const RUNS_THROUGH_APP = 2_000;
/** Beyond this many in a row nobody hears from the test. */
const RUNS_PER_TURN = 250;
const MAX_NUMBER = 0x7fffffff;
const NO_TIMEOUT = 3_600_000;

const base = readConfig(TEST_ENV);
const counters = createCounters();
/** A number is an act as a whole: a smaller one is not a simpler one. */
const number = fc.noShrink(fc.nat(MAX_NUMBER));
const script = fc.array(number, { minLength: 4, maxLength: 14, size: 'max' });
const traces = Error as { stackTraceLimit?: number };
const { stackTraceLimit = 10 } = traces;

beforeAll(() => {
  for (const [name, plain] of Object.entries(PLAIN_GLOBALS)) vi.stubGlobal(name, plain);
  // Absence and failures are errors here, by the million.
  traces.stackTraceLimit = 0;
});

afterAll(() => {
  vi.unstubAllGlobals();
  traces.stackTraceLimit = stackTraceLimit;
});

/** Runs that many, and fails with the shortest script that still shows what is wrong, told as numbered events. */
async function runMany(numRuns: number, seed: number, isThroughApp: boolean): Promise<void> {
  const options = { base, counters, isThroughApp };
  let runs = 0;
  const property = fc.asyncProperty(script, number, async (numbers, world) => {
    if (++runs % RUNS_PER_TURN === 0) await scheduler.wait(0);
    await runInterleaving(numbers, world, options);
  });
  const { failed, counterexample, numRuns: until } = await fc.check(property, { numRuns, seed });
  if (!failed || counterexample === null) return;
  const [numbers, world] = counterexample;
  const story = await tellInterleaving(numbers, world, options);
  expect.fail(`run ${until} of seed ${seed}: runInterleaving(${JSON.stringify(numbers)}, ${world})\n${story}`);
}

describe('no list is served to the wrong user, none older than its bound, none from before an erasure', () => {
  test.each([1, 2, 3, 4])(`in ${RUNS_PER_SEED} interleavings of seed %i`, { timeout: NO_TIMEOUT }, async (seed) => {
    await runMany(RUNS_PER_SEED, seed, false);
  });

  test(`in ${RUNS_THROUGH_APP} that are HTTP requests to the app`, { timeout: NO_TIMEOUT }, async () => {
    await runMany(RUNS_THROUGH_APP, 5, true);
  });
});

describe('the interleavings', () => {
  const reached: readonly CounterName[] = [
    'edge_isolate_hits_total',
    'edge_colo_hits_total',
    'edge_collapsed_total',
    'edge_revalidated_total',
    'edge_stale_if_error_total',
    'edge_refreshes_total',
    'edge_refresh_failures_total',
    'edge_fenced_total',
    'edge_tier_errors_total',
    'edge_region_bypasses_total',
    'edge_failovers_total',
    'edge_manifest_failures_total',
    'edge_popular_total',
    'region_hits_total',
    'region_collapsed_total',
    'region_revalidated_total',
    'region_stale_if_error_total',
    'region_refreshes_total',
    'region_fenced_total',
  ];

  test('reach everything that a read can meet with', () => {
    expect(reached.filter((name) => counters.get(name) === 0)).toEqual([]);
  });

  test('are the same whenever they are run with the same script and seed', async () => {
    const tell = (): Promise<string> =>
      tellInterleaving(
        Array.from({ length: 14 }, (_, i) => i),
        7,
        { base, counters },
      );
    const [first, second] = [await tell(), await tell()];
    expect(first).toMatch(/\(\d\d\) nothing is wrong$/);
    expect(second).toBe(first);
  });
});
