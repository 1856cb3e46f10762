// The guarantees of bulkhead and limit together, in simulated time against a simulated server (simulated-server.ts) of
// 15 keys per ms.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Random } from '../../../../shared/runtime/random.ts';
import { KEYS_PER_MS, simulate } from './simulated-load.ts';
import type { Discipline } from './simulated-server.ts';

const { stackTraceLimit } = Error;

// Shed reads are errors here; there are millions of them.
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

const disciplines: readonly Discipline[] = ['merging', 'fifo', 'sharing'];

describe.each(disciplines)('before a server that works %s', (discipline) => {
  test('at 3 times its capacity for 30 s, throughput and latency hold, and all is as before 2 s later', async () => {
    const peak = await simulate({ discipline, seed: 7 }).offer(1, 20_000);
    const simulation = simulate({ discipline });
    const unloaded = await simulation.offer(0.2, 20_000);
    const before = await simulation.offer(0.5, 5000);

    const startMs = simulation.now();
    const overload = await simulation.offer(3, 30_000);
    expect(overload.goodput).toBeGreaterThan(0.9 * peak.goodput);
    expect(overload.goodput).toBeGreaterThan(0.9 * KEYS_PER_MS);
    expect(overload.maxQueued).toBeLessThanOrEqual(3000);
    const settled = simulation.figures(startMs + 1000, startMs + 30_000);
    expect(settled.maxQueued).toBeLessThanOrEqual(500);
    expect(settled.p99Ms).toBeLessThanOrEqual(2 * unloaded.p99Ms);
    // Including the burst at the start.
    expect(overload.p99Ms).toBeLessThanOrEqual(2.4 * unloaded.p99Ms);
    // Heavy and light reads are shed equally.
    expect(Math.abs(overload.shedHeavy - overload.shed)).toBeLessThan(0.05);

    await simulation.offer(0.5, 2000);
    const after = await simulation.offer(0.5, 5000);
    expect(after.shed).toBe(0);
    expect(after.p99Ms).toBeLessThanOrEqual(1.3 * before.p99Ms);
  });

  test('of reads that are alike, the first moments of an overload of 30 s leave half of those that may be late', async () => {
    let late = 0;
    let served = 0;
    for (const seed of [1, 2, 3, 4]) {
      const simulation = simulate({ discipline, seed, weights: () => 50 });
      await simulation.offer(1.2, 3000);
      const unloaded = await simulation.offer(0.2, 20_000);
      await simulation.offer(0.5, 5000);
      const startMs = simulation.now();
      const overload = await simulation.offer(3, 30_000);
      expect(overload.p99Ms).toBeLessThanOrEqual(1.65 * unloaded.p99Ms);
      late += simulation.later(2 * unloaded.p99Ms, startMs, startMs + 400);
      served += overload.reads * (1 - overload.shed);
    }
    expect(late / served).toBeLessThan(0.0055);
  });

  test.each([1, 2, 3])('at 0.7 of its capacity none is shed (seed %i)', async (seed) => {
    const figures = await simulate({ discipline, seed }).offer(0.7, 30_000);
    expect(figures.reads).toBeGreaterThan(20_000);
    expect(figures.shed).toBe(0);
  });

  test.each([
    { ms: 50, most: 0.25 },
    { ms: 100, most: 0.57 },
  ])('of bursts of 3 times its capacity for $ms ms at most $most is shed', async ({ ms, most }) => {
    const simulation = simulate({ discipline });
    let shed = 0;
    for (let burst = 0; burst < 20; burst++) {
      await simulation.offer(0.3, 900);
      const startMs = simulation.now();
      await simulation.offer(3, ms);
      await simulation.offer(0.1, 200);
      shed += simulation.figures(startMs, startMs + ms).shed / 20;
    }
    expect(shed).toBeLessThan(most);
  });

  test('that gets twice as slow for good, at half its capacity, none is shed', async () => {
    const simulation = simulate({ discipline });
    await simulation.offer(0.5, 5000);
    simulation.server.setBaseLatencyMs(10);
    const slower = await simulation.offer(0.5, 20_000);
    expect(slower.shed).toBe(0);
    expect(slower.goodput).toBeGreaterThan(0.47 * KEYS_PER_MS);
  });

  test('of 1.5 times its capacity, 40 % of it background, foreground reads are shed as if they were alone', async () => {
    const alone = await simulate({ discipline, seed: 2 }).offer(0.9, 60_000);
    expect(alone.shed).toBeLessThan(0.04);
    const simulation = simulate({ discipline });
    await simulation.offer(0.5, 3000);
    const figures = await simulation.offer(1.5, 30_000, { background: 0.4 });
    expect(figures.shedForeground).toBeLessThan(alone.shed + 0.015);
    expect(figures.shedBackground).toBeGreaterThan(0.8);
    expect(figures.goodput).toBeGreaterThan(0.88 * KEYS_PER_MS);
  });
});

test('a table that gets 8 times as slow for good becomes normal within 5 s, and normal again when it recovers', async () => {
  let shed = 0;
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const simulation = simulate({ discipline: 'fifo', seed });
    await simulation.offer(0.5, 5000);
    const normalMs = simulation.limit.expectMs(1);
    simulation.server.setBaseLatencyMs(40);
    shed += (await simulation.offer(0.5, 5000)).shed / 8;
    expect((await simulation.offer(0.5, 10_000)).shed, `seed ${seed}`).toBe(0);
    simulation.server.setBaseLatencyMs(5);
    expect((await simulation.offer(0.5, 10_000)).shed, `seed ${seed}`).toBe(0);
    expect(simulation.limit.expectMs(1), `seed ${seed}`).toBeLessThan(2 * normalMs);
  }
  expect(shed).toBeLessThan(0.07);
});

test('five minutes of overload neither raise what is taken for normal nor cost throughput', async () => {
  // Reads of 20 to 60 keys: as much load in fewer reads.
  const weights = (random: Random): number => 20 + Math.floor(random() * 40);
  const simulation = simulate({ discipline: 'fifo', weights });
  await simulation.offer(0.3, 5000);
  const first = await simulation.offer(2, 20_000);
  await simulation.offer(2, 260_000);
  const last = await simulation.offer(2, 20_000);
  expect(last.p99Ms).toBeLessThan(1.2 * first.p99Ms);
  expect(last.maxLimit).toBeLessThan(1.3 * first.maxLimit);
  expect(last.goodput).toBeGreaterThan(0.95 * KEYS_PER_MS);
});

test('a process that starts cold at its full load finds its limit', async () => {
  for (const discipline of disciplines)
    for (const seed of [3, 8, 10]) {
      const simulation = simulate({ discipline, seed });
      await simulation.offer(1, 5000);
      const figures = await simulation.offer(1, 15_000);
      expect(figures.goodput, `${discipline}, seed ${seed}`).toBeGreaterThan(0.88 * KEYS_PER_MS);
    }
});

test('a server that stalls for 3 s is used again at once when it goes on', async () => {
  const simulation = simulate({ discipline: 'fifo' });
  await simulation.offer(0.6, 5000);
  simulation.server.setBaseLatencyMs(3000);
  await simulation.offer(0.6, 3000);
  simulation.server.setBaseLatencyMs(5);
  await simulation.offer(0.6, 3000);
  const after = await simulation.offer(0.6, 5000);
  expect(after.shed).toBe(0);
  expect(after.goodput).toBeGreaterThan(0.55 * KEYS_PER_MS);
});
