// Random reads of many users by callers of all kinds, through the worker's app with real tokens, over releases,
// erasures, failures and caches of all sizes. Every part of every answer is searched for marks of other users.
import { env } from 'cloudflare:test';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CounterName, createCounters } from '../../shared/runtime/counters.ts';
import { OUTCOMES } from './isolation/judge.ts';
import { runWorld } from './isolation/world.ts';

const ROUNDS = Number(env.DRILL_ROUNDS);
const WORLDS_PER_ROUND = 4;
const READS_PER_WORLD = 2_500;
const NO_TIMEOUT = 3_600_000;

const counters = createCounters();
const outcomes = new Map<string, number>();
let reads = 0;
const traces = Error as { stackTraceLimit?: number };
const { stackTraceLimit = 10 } = traces;

beforeAll(() => {
  // Absence and failures are errors here; there are hundreds of thousands of them.
  traces.stackTraceLimit = 0;
});

afterAll(() => {
  traces.stackTraceLimit = stackTraceLimit;
});

describe('no list, header, ETag or error of one user reaches another', () => {
  const seeds = Array.from({ length: ROUNDS }, (_, i) => i + 1);

  test.each(seeds)(
    `in ${WORLDS_PER_ROUND * READS_PER_WORLD} reads of seed %i`,
    { timeout: NO_TIMEOUT },
    async (seed) => {
      for (let i = 0; i < WORLDS_PER_ROUND; i++) {
        const world = seed * WORLDS_PER_ROUND + i;
        try {
          reads += await runWorld(world, READS_PER_WORLD, { counters, outcomes });
        } catch (error) {
          expect.fail(`world ${world} of seed ${seed}: ${String(error)}`);
        }
      }
    },
  );
});

describe('the reads', () => {
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
    'edge_popular_total',
    'edge_rejected_tokens_total',
    'region_hits_total',
    'region_collapsed_total',
    'region_revalidated_total',
    'region_stale_if_error_total',
    'region_refreshes_total',
  ];

  test('are as many as announced, and reach every cache and failure', () => {
    expect(reads).toBeGreaterThanOrEqual(ROUNDS * WORLDS_PER_ROUND * READS_PER_WORLD);
    console.log(JSON.stringify({ reads, ...Object.fromEntries([...outcomes].sort()) }));
    expect(OUTCOMES.filter((name) => !outcomes.has(name))).toEqual([]);
    expect(reached.filter((name) => counters.get(name) === 0)).toEqual([]);
  });
});
