import { describe, expect, test } from 'vitest';
import { FollowerTimeout } from '../../../../shared/caching/singleflight.ts';
import { settle, setUp } from './flights.ts';

describe('a flight', () => {
  test('of one key asked by 10 000 at once loads once and gives all the same', async () => {
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

  test('of one key does not hold up another', async () => {
    const { ask, loads } = setUp();
    const [a, b] = [ask('a'), ask('b')];
    loads.open[1]?.resolve('of b');
    expect((await b).value).toBe('of b');
    loads.open[0]?.resolve('of a');
    expect((await a).value).toBe('of a');
  });

  test('that is over is not joined: the next one loads anew', async () => {
    const { ask, loads } = setUp();
    const first = ask();
    loads.open[0]?.resolve('old');
    await first;
    const second = ask();
    loads.open[1]?.resolve('new');
    expect(await second).toEqual({ value: 'new', isCollapsed: false });
  });

  test('goes on for its followers, and is kept alive, when its leader has gone', async () => {
    const { ask, loads, kept } = setUp();
    void ask();
    const follower = ask();
    expect(kept).toHaveLength(1);
    loads.open[0]?.resolve('v');
    expect(await follower).toEqual({ value: 'v', isCollapsed: true });
  });

  test('is left by a follower whose time is up, and only by that one', async () => {
    const { ask, clock, loads } = setUp();
    const leader = ask();
    const hasty = ask('k', 100);
    const patient = ask('k', 2000);
    const left = expect(hasty).rejects.toThrow(FollowerTimeout);
    await settle();
    clock.advance(100);
    await left;
    loads.open[0]?.resolve('v');
    expect([(await leader).value, (await patient).value]).toEqual(['v', 'v']);
    expect(loads.count()).toBe(1);
    expect(clock.pending()).toBe(0);
  });

  test('that fails lets one follower take over, and the others follow that one', async () => {
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

  test('that fails twice fails for all who wait, without a third load', async () => {
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

  test('whose value is a failure is tried once more for its followers, who then have to take it', async () => {
    const { ask, loads } = setUp((value) => value === 'unreachable');
    const all = Promise.all(Array.from({ length: 3 }, () => ask()));
    loads.open[0]?.resolve('unreachable');
    await settle();
    expect(loads.count()).toBe(2);
    loads.open[1]?.resolve('unreachable');
    expect((await all).map(({ value }) => value)).toEqual(['unreachable', 'unreachable', 'unreachable']);
    expect(loads.count()).toBe(2);
  });

  test('a follower that takes over has waited before, and waits no longer than it said in all', async () => {
    const { ask, clock, loads } = setUp();
    void ask().catch(() => undefined);
    void ask();
    const last = ask('k', 1000);
    const left = expect(last).rejects.toThrow(FollowerTimeout);
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

  test('that has been under way for too long is not joined any more', async () => {
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

describe('one who demands what is from a moment on', () => {
  type Demand = { notBeforeMs?: number; accepts?: (value: string) => boolean };

  /** As `setUp`, with demands; says of each load whether it is current. */
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

  test('overtakes the load that will not do, and that is told so; others join the later one from then on', async () => {
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

  test('does not take from another what it does not accept, and loads in its turn, once for all who do not', async () => {
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

  test('takes what it loaded itself, whatever that is', async () => {
    const { loads, ask } = setUpDemands();
    const own = ask({ accepts: () => false });
    loads.open[0]?.resolve('v');
    expect(await own).toEqual({ value: 'v', isCollapsed: false });
  });
});

describe('has', () => {
  test('tells of a load that would be joined: under way, not too old, and not from before what is demanded', async () => {
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
