// The caller's deadline: a caller may set it, and no work continues beyond it.
import { beforeEach, describe, expect, test } from 'vitest';
import { drive } from '../support/drive.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { simulateRegions } from '../support/simulated-regions.ts';

const PATH = '/v1/me/recommendations/home';
const LISTS = '/internal/v1/lists:read';
let edge: Harness;

beforeEach(async () => {
  edge = createHarness();
  edge.origins.put(keyOf('ann'), makeList('a'));
  await edge.get(PATH, { sub: 'warms-the-manifest' });
});

const within = (ms: string) => ({ headers: { 'earshot-deadline-ms': ms } });

describe("a caller with a shorter deadline than the worker's", () => {
  test('states it, and each hop gets its share', async () => {
    await edge.get(PATH, within('300'));
    expect(edge.origins.calls.at(-1)?.headers.get('earshot-deadline-ms')).toBe('100');
  });

  test('has an answer by then, whatever hangs', async () => {
    edge.origins.behave('hangs', { path: LISTS });
    const { value, tookMs } = await drive(edge.clock, edge.send(`${PATH}?fallback=none`, within('300')), 10);
    expect(value.status).toBe(503);
    expect(tookMs).toBeLessThanOrEqual(310);
    expect(edge.origins.calls.slice(-3).map(({ region, signal }) => [region, signal?.aborted])).toEqual([
      ['asia', true],
      ['europe', true],
      ['us', true],
    ]);
  });

  test('has no more than REQUEST_DEADLINE_MS', async () => {
    await edge.get(PATH, within('999999'));
    expect(edge.origins.calls.at(-1)?.headers.get('earshot-deadline-ms')).toBe('1666');
  });

  test('and no time left gets 504 before any region is asked', async () => {
    const before = edge.origins.calls.length;
    const response = await edge.get(PATH, within('0'));
    expect([response.status, await response.json()]).toMatchObject([504, { code: 'deadline_exceeded' }]);
    expect(edge.origins.calls).toHaveLength(before);
  });

  test.each(['', '1.5', '-1', 'soon', '1234567'])('is refused when it says %j', async (header) => {
    const response = await edge.get(PATH, within(header));
    expect([response.status, await response.json()]).toMatchObject([
      400,
      {
        detail: `expected earshot-deadline-ms to be a whole number of milliseconds, of up to 6 digits, got ${JSON.stringify(header)}`,
      },
    ]);
  });
});

test('a region that cannot answer in the remaining time is not asked', async () => {
  const regions = simulateRegions();
  await regions.offer(200, 2_000);
  const before = regions.attempts.length;
  const hurried = await regions.offer(200, 1_000, undefined, 8);
  expect(hurried.failed).toBe(hurried.requests);
  // The other regions have no measurements, so no estimate rules them out.
  expect(regions.attempts.slice(before).filter(({ region }) => region === 'asia')).toEqual([]);
});
