// The caller's deadline: a caller may set it, and no work continues beyond it.
import { beforeEach, describe, expect, test } from 'vitest';
import { drive } from '../support/drive.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';
import { simulateRegions } from '../support/simulated-regions.ts';
import { turnUntil } from '../support/turns.ts';

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
  test('does not bind the load, which others may join: each hop gets the time of the worker', async () => {
    await edge.get(PATH, within('300'));
    expect(edge.origins.calls.at(-1)?.headers.get('earshot-deadline-ms')).toBe('2000');
  });

  test('has an answer by then, whatever hangs, and each hop ends with the last caller', async () => {
    edge.origins.behave('hangs', { path: LISTS });
    const from = edge.origins.calls.length;
    const { value, tookMs } = await drive(edge.clock, edge.send(`${PATH}?fallback=none`, within('300')), 10);
    expect(value.status).toBe(503);
    expect(tookMs).toBeLessThanOrEqual(310);
    const asked = edge.origins.calls.slice(from);
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter(({ signal }) => signal?.aborted !== true)).toEqual([]);
    expect(edge.counters.get('edge_late_total')).toBe(0);
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

test('no region is asked for a caller that none can answer in time', async () => {
  const regions = simulateRegions();
  await regions.offer(200, 2_000);
  const before = regions.attempts.length;
  const hurried = await regions.offer(200, 1_000, undefined, 8);
  expect(hurried.failed).toBe(hurried.requests);
  expect(regions.attempts.slice(before)).toHaveLength(0);
});

describe('callers with short deadlines', () => {
  const FAR = { asia: 30, europe: 100, us: 150 };

  test.each([1, 20, 34, 60, 100, 150, 250])(
    'of %d ms eject no region, and cost callers with time nothing',
    async (deadlineMs) => {
      const regions = simulateRegions({ wayMs: FAR });
      await regions.offer(50, 5_000);
      const [p95Ms, budget] = [regions.p95Ms('asia'), regions.budget()];
      const report = await regions.offer(50, 10_000, (sinceMs) => {
        if (sinceMs % 5 === 0) regions.askWithin(deadlineMs);
      });
      expect(regions.counters.get('edge_ejections_total')).toBe(0);
      expect(report.failed).toBe(0);
      expect(report.p99Ms).toBeLessThanOrEqual(40);
      expect(regions.p95Ms('asia')).toBeCloseTo(p95Ms, 0);
      expect(regions.budget()).toBeGreaterThan(budget - 10);
    },
  );

  test('that are alone in a new isolate make no region look faster than it is', async () => {
    const regions = simulateRegions({ wayMs: FAR });
    await regions.offer(50, 20_000, undefined, 33);
    expect(regions.counters.get('edge_ejections_total')).toBe(0);
    const report = await regions.offer(50, 5_000);
    expect([report.failed, regions.counters.get('edge_ejections_total')]).toEqual([0, 0]);
    expect(report.attempts).toBeLessThan(report.requests * 1.2);
  });

  test('of 120 ms get their own list from a region 42 ms away, in a new isolate too', async () => {
    const regions = simulateRegions({ wayMs: { asia: 42, europe: 130, us: 180 } });
    const report = await regions.offer(50, 10_000, undefined, 120);
    expect(report.failed).toBe(0);
    expect(report.answers.every(({ region }) => region === 'asia')).toBe(true);
    // No hedge: the second region could not answer in time.
    expect(report.attemptsAt('asia')).toBeGreaterThanOrEqual(report.requests);
    expect(report.attempts - report.attemptsAt('asia')).toBe(0);
  });

  test('find out together that their region is gone, and use the next one', async () => {
    const regions = simulateRegions({ wayMs: { asia: 30, us: 60, europe: 180 } });
    regions.setFault({ kind: 'hang' }, 'asia');
    await regions.offer(50, 10_000, undefined, 120);
    expect(regions.counters.get('edge_ejections_total')).toBeGreaterThan(0);
    const later = await regions.offer(50, 5_000, undefined, 120);
    expect(later.failed).toBeLessThan(later.requests / 10);
  });
});

describe('a load that others join', () => {
  beforeEach(() => edge.origins.put(keyOf('~popular'), makeList('p')));

  test('has the longest deadline of its callers', async () => {
    edge.origins.behave('slow', { path: LISTS });
    const arrived = edge.origins.arrival('asia');
    const short = edge.send(PATH, { sub: 'bob', ...within('50') });
    await arrived;
    const long = edge.send(PATH, { sub: 'bob' });
    await turnUntil(() => edge.counters.get('edge_reads_total') === 3);
    edge.clock.advance(50);
    const left = await short;
    expect([left.status, left.headers.get('cache-status')]).toEqual([503, expect.not.stringContaining('collapsed')]);
    edge.origins.release();
    expect((await long).status).toBe(404);
    expect(edge.origins.listReads().filter((region) => region !== 'asia')).toEqual([]);
  });

  test.each([
    ['a refresh of a stale list', keyOf('ann'), { POPULAR_WARM_SECONDS: '0' }],
    ['a warm-up of a popular list', keyOf('~popular'), { POPULAR_WARM_SECONDS: '3600' }],
  ])('behind an answer has a deadline of its own: %s', async (_name, key, env) => {
    edge = createHarness({ env });
    for (const user of ['ann', '~popular']) edge.origins.put(keyOf(user), makeList(user));
    const patient = { sub: 'ann', expiresInSeconds: 86_400 };
    await edge.get(PATH, patient);
    edge.clock.advance(6.5 * 3_600_000);
    await edge.get('/v1/me/recommendations/unknown', patient);
    edge.origins.behave('slow', { path: LISTS });
    const loadOf = () => edge.origins.calls.filter(({ keys }) => keys.some(({ user }) => user === key.user)).at(-1);
    const earlier = loadOf();
    expect((await edge.send(PATH, { ...patient, ...within('5') })).status).toBe(200);
    await turnUntil(() => loadOf() !== earlier);
    edge.clock.advance(1_000);
    await scheduler.wait(1);
    expect(loadOf()?.signal?.aborted).toBe(false);
    edge.origins.release();
  });
});
