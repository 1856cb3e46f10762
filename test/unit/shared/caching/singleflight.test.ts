import { describe, expect, test } from 'vitest';
import { WaitOver } from '../../../../shared/caching/singleflight.ts';
import { settle, setUp } from './flights.ts';

describe('a flight', () => {
  test('loads a key once for 10 000 concurrent callers, and all get the same value', async () => {
    const { ask, loads, flights, clock } = setUp();
    const asked = Array.from({ length: 10_000 }, () => ask());
    await settle();
    expect(loads.count()).toBe(1);
    loads.open[0]?.resolve('v');
    const shared = await Promise.all(asked);
    expect(shared.map(({ value }) => value)).toEqual(Array(10_000).fill('v'));
    expect(shared.filter(({ isCollapsed }) => !isCollapsed)).toHaveLength(1);
    expect([flights.size(), clock.pending()]).toEqual([0, 0]);
  });

  test('does not delay the flight of another key', async () => {
    const { ask, loads } = setUp();
    const [a, b] = [ask('a'), ask('b')];
    loads.open[1]?.resolve('of b');
    expect((await b).value).toBe('of b');
    loads.open[0]?.resolve('of a');
    expect((await a).value).toBe('of a');
  });

  test('is not joined after its end: the next call loads again', async () => {
    const { ask, loads } = setUp();
    const first = ask();
    loads.open[0]?.resolve('old');
    await first;
    const second = ask();
    loads.open[1]?.resolve('new');
    expect(await second).toEqual({ value: 'new', isCollapsed: false });
  });

  test('continues for its followers, and is kept alive, after its leader has cancelled', async () => {
    const { ask, loads, kept } = setUp();
    void ask();
    const follower = ask();
    expect(kept).toHaveLength(1);
    loads.open[0]?.resolve('v');
    expect(await follower).toEqual({ value: 'v', isCollapsed: true });
  });

  test('loses only the follower whose wait timeout ends', async () => {
    const { ask, clock, loads } = setUp();
    const leader = ask();
    const hasty = ask('k', 100);
    const patient = ask('k', 2000);
    const left = expect(hasty).rejects.toThrow(WaitOver);
    await settle();
    clock.advance(100);
    await left;
    loads.open[0]?.resolve('v');
    expect([(await leader).value, (await patient).value]).toEqual(['v', 'v']);
    expect(loads.count()).toBe(1);
    expect(clock.pending()).toBe(0);
  });

  test('does not end with the wait of its leader, and knows how long its callers wait', async () => {
    const { clock, flights, loads } = setUp();
    let untilMs = (): number => 0;
    const leading = flights.run('k', {
      load: (lead) => {
        untilMs = () => lead.waitedForUntilMs() - startedAtMs;
        return loads.load();
      },
      waitTimeoutMs: 1,
      leadTimeoutMs: 60,
      keepAlive: () => {},
    });
    const startedAtMs = clock.now();
    expect(untilMs()).toBe(60);
    const following = flights.run('k', { load: loads.load, waitTimeoutMs: 1000, keepAlive: () => {} });
    expect(untilMs()).toBe(1000);
    const left = expect(leading).rejects.toThrow(WaitOver);
    clock.advance(60);
    await left;
    loads.open[0]?.resolve('v');
    expect(await following).toEqual({ value: 'v', isCollapsed: true });
    expect([loads.count(), clock.pending()]).toEqual([1, 0]);
  });

  test('is not led again by a follower whose time is over, so that the others do not share its failure', async () => {
    const { clock, flights, loads, ask } = setUp((value) => value === 'failed');
    const leading = ask();
    const late = flights.run('k', { load: async () => 'failed', waitTimeoutMs: 100, keepAlive: () => {} });
    const following = ask();
    await settle();
    const left = expect(late).rejects.toThrow(WaitOver);
    loads.open[0]?.resolve('failed');
    clock.advance(100);
    await Promise.all([leading, left]);
    await settle();
    loads.open[1]?.resolve('v');
    expect((await following).value).toBe('v');
  });

  test('lets one follower take over after a failure, and the others follow that one', async () => {
    const { ask, loads } = setUp();
    const leader = ask();
    const followers = Array.from({ length: 100 }, () => ask());
    const failed = expect(leader).rejects.toThrow('first');
    loads.open[0]?.reject(new Error('first'));
    await failed;
    await settle();
    expect(loads.count()).toBe(2);
    loads.open[1]?.resolve('v');
    const shared = await Promise.all(followers);
    expect(shared.map(({ value }) => value)).toEqual(Array(100).fill('v'));
    expect(shared.filter(({ isCollapsed }) => !isCollapsed)).toHaveLength(1);
  });

  test('fails for all followers after two failures, without a third load', async () => {
    const { ask, loads, flights } = setUp();
    const all = Promise.allSettled(Array.from({ length: 100 }, () => ask()));
    loads.open[0]?.reject(new Error('first'));
    await settle();
    loads.open[1]?.reject(new Error('second'));
    const reasons = (await all).map((each) => (each.status === 'rejected' ? (each.reason as Error).message : 'none'));
    expect(reasons.filter((reason) => reason === 'first')).toHaveLength(1);
    expect(reasons.filter((reason) => reason === 'second')).toHaveLength(99);
    expect([loads.count(), flights.size()]).toEqual([2, 0]);
  });

  test('is retried once for its followers if its value is a failure; they accept the second value', async () => {
    const { ask, loads } = setUp((value) => value === 'unreachable');
    const all = Promise.all(Array.from({ length: 3 }, () => ask()));
    loads.open[0]?.resolve('unreachable');
    await settle();
    expect(loads.count()).toBe(2);
    loads.open[1]?.resolve('unreachable');
    expect((await all).map(({ value }) => value)).toEqual(['unreachable', 'unreachable', 'unreachable']);
    expect(loads.count()).toBe(2);
  });

  test('keeps the wait timeout of a follower that takes over', async () => {
    const { ask, clock, loads } = setUp();
    void ask().catch(() => undefined);
    void ask();
    const last = ask('k', 1000);
    const left = expect(last).rejects.toThrow(WaitOver);
    await settle();
    clock.advance(600);
    loads.open[0]?.reject(new Error('first'));
    await settle();
    clock.advance(399);
    await settle();
    clock.advance(1);
    await left;
    loads.open[1]?.resolve('v');
  });

  test('is not joined beyond its age timeout', async () => {
    const { ask, clock, loads } = setUp();
    const stuck = ask();
    clock.advance(4999);
    const joined = ask();
    expect(loads.count()).toBe(1);
    clock.advance(1);
    const fresh = ask();
    expect(loads.count()).toBe(2);
    loads.open[1]?.resolve('new');
    expect(await fresh).toEqual({ value: 'new', isCollapsed: false });
    loads.open[0]?.resolve('old');
    expect([(await stuck).value, (await joined).value]).toEqual(['old', 'old']);
  });
});

describe('a caller that demands a value from a moment on', () => {
  type Demand = { notBeforeMs?: number; accepts?: (value: string) => boolean };

  /** As `setUp`, with demands. Tells for each load whether it is current. */
  function setUpDemands() {
    const { clock, loads, flights } = setUp();
    const areCurrent: (() => boolean)[] = [];
    const ask = (demand: Demand = {}) =>
      flights.run('k', {
        load: (lead) => {
          areCurrent.push(() => lead.isCurrent());
          return loads.load();
        },
        waitTimeoutMs: 1000,
        keepAlive: () => {},
        ...demand,
      });
    return { clock, loads, flights, ask, current: () => areCurrent.map((isCurrent) => isCurrent()) };
  }

  test('joins a load that began then or later, and no earlier one', async () => {
    const { clock, loads, ask } = setUpDemands();
    const first = ask();
    const nowMs = clock.now();
    clock.advance(10);
    const joined = ask({ notBeforeMs: nowMs });
    const apart = ask({ notBeforeMs: nowMs + 1 });
    expect(loads.count()).toBe(2);
    loads.open[1]?.resolve('new');
    expect(await apart).toEqual({ value: 'new', isCollapsed: false });
    loads.open[0]?.resolve('old');
    expect([await first, await joined]).toEqual([
      { value: 'old', isCollapsed: false },
      { value: 'old', isCollapsed: true },
    ]);
  });

  test('replaces an earlier load, which is notified; other callers then join the later load', async () => {
    const { clock, loads, ask, current, flights } = setUpDemands();
    const first = ask();
    clock.advance(10);
    const second = ask({ notBeforeMs: clock.now() });
    expect(current()).toEqual([false, true]);
    const third = ask();
    expect(loads.count()).toBe(2);
    loads.open[0]?.resolve('old');
    await first;
    expect([flights.size(), current()]).toEqual([1, [false, true]]);
    loads.open[1]?.resolve('new');
    expect([(await second).value, (await third).value]).toEqual(['new', 'new']);
    expect(flights.size()).toBe(0);
  });

  test("refuses another's value that is too old, and loads next, once for all such callers", async () => {
    const { loads, ask } = setUpDemands();
    const accepts = (value: string) => value === 'new';
    const leader = ask();
    const content = ask();
    const demanding = [ask({ accepts }), ask({ accepts }), ask({ accepts })];
    loads.open[0]?.resolve('old');
    expect([(await leader).value, (await content).value]).toEqual(['old', 'old']);
    await settle();
    expect(loads.count()).toBe(2);
    loads.open[1]?.resolve('new');
    const shared = await Promise.all(demanding);
    expect(shared.map(({ value }) => value)).toEqual(['new', 'new', 'new']);
    expect(shared.filter(({ isCollapsed }) => !isCollapsed)).toHaveLength(1);
  });

  test('accepts every value that it loaded itself', async () => {
    const { loads, ask } = setUpDemands();
    const own = ask({ accepts: () => false });
    loads.open[0]?.resolve('v');
    expect(await own).toEqual({ value: 'v', isCollapsed: false });
  });
});

describe('has', () => {
  test('reports a load that can be joined: in flight, below the age timeout, and not from before the demand', async () => {
    const { ask, clock, loads, flights } = setUp();
    expect(flights.has('k')).toBe(false);
    const startedAtMs = clock.now();
    const load = ask();
    expect([flights.has('k'), flights.has('other')]).toEqual([true, false]);
    expect([flights.has('k', startedAtMs), flights.has('k', startedAtMs + 1)]).toEqual([true, false]);
    clock.advance(4999);
    expect(flights.has('k')).toBe(true);
    clock.advance(1);
    expect(flights.has('k')).toBe(false);
    loads.open[0]?.resolve('v');
    await load;
    expect(flights.has('k')).toBe(false);
  });
});
