// Random reads, refreshes, flips, erasures, failures and losses over three regions, in a random order on a manual
// clock. The worker's code runs in workerd. All I/O around it is scripted, so script and seed reproduce a run.
import { env } from 'cloudflare:test';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../edge/config.ts';
import { type CounterName, createCounters } from '../../shared/runtime/counters.ts';
import { TEST_ENV } from '../workerd/support/harness.ts';
import { PLAIN_GLOBALS } from './platform/plain-platform.ts';
import { runInterleaving, tellInterleaving } from './run.ts';

const ROUNDS = Number(env.DRILL_ROUNDS);
const RUNS_PER_ROUND = 5_000;
const RUNS_THROUGH_APP = 400;
/** The test runner gets no events during a turn. */
const RUNS_PER_TURN = 250;
const MAX_NUMBER = 0x7fffffff;
const NO_TIMEOUT = 3_600_000;

const base = readConfig(TEST_ENV);
const counters = createCounters();
/** A number encodes a whole act; a smaller number is not simpler. */
const number = fc.noShrink(fc.nat(MAX_NUMBER));
const script = fc.array(number, { minLength: 4, maxLength: 14, size: 'max' });
const traces = Error as { stackTraceLimit?: number };
const { stackTraceLimit = 10 } = traces;

beforeAll(() => {
  for (const [name, plain] of Object.entries(PLAIN_GLOBALS)) vi.stubGlobal(name, plain);
  // Absence and failures are errors here; there are millions of them.
  traces.stackTraceLimit = 0;
});

afterAll(() => {
  vi.unstubAllGlobals();
  traces.stackTraceLimit = stackTraceLimit;
});

/** Fails with the shortest script that still shows the violation, as numbered events. */
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
  const seeds = Array.from({ length: ROUNDS }, (_, i) => i + 1);

  test.each(seeds)(`in ${RUNS_PER_ROUND} interleavings of seed %i`, { timeout: NO_TIMEOUT }, async (seed) => {
    await runMany(RUNS_PER_ROUND, seed, false);
  });

  test.each(seeds)(
    `in ${RUNS_THROUGH_APP} HTTP requests to the app, seed %i`,
    { timeout: NO_TIMEOUT },
    async (seed) => {
      await runMany(RUNS_THROUGH_APP, seed, true);
    },
  );
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
