// Who loads a list among the processes of one origin: what is asked of another, with what time, and what is done when
// it gives nothing.
import { describe, expect, test } from 'vitest';
import type { LoadLists } from '../../../../origin/lists/load-lists.ts';
import { BYPASS_MS, chooseWorker, createSiblingLoad } from '../../../../origin/workers/sibling-load.ts';
import type { Siblings } from '../../../../origin/workers/siblings.ts';
import { CallerCancelled, type Cancellation, CancellationSource } from '../../../../shared/caching/cancellation.ts';
import type { ListValue } from '../../../../shared/domain/list.ts';
import { createManualClock } from '../../../../shared/runtime/clock.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';
import type { ListQuery } from '../../../../shared/wire/read-request.ts';
import type { ListResult } from '../../../../shared/wire/read-response.ts';

const OWN = 0;
const COUNT = 3;
const TIMEOUT_MS = 1000;

const ask = (user: string, change: Partial<ListQuery> = {}): ListQuery => ({
  surface: 'home',
  variant: 'control',
  generation: 1,
  user,
  ...change,
});

/** The `nth` user that `worker` keeps. */
function userOf(worker: number, nth = 0): string {
  for (let i = 0, found = 0; ; i++) if (chooseWorker(`u:${i}`, COUNT) === worker && found++ === nth) return `u:${i}`;
}

const listNamed = (digest: string): ListValue => ({ kind: 'list', bytes: new Uint8Array([1]), generation: 1, digest });

interface TableCall {
  readonly asks: readonly ListQuery[];
  readonly timeoutMs: number;
}

function setUp(answer: (asks: readonly ListQuery[], worker: number) => ListResult[] | Promise<ListResult[]>) {
  const clock = createManualClock();
  const counters = createCounters();
  const siblingCalls: { worker: number; asks: readonly ListQuery[]; timeoutMs: number }[] = [];
  const tableCalls: TableCall[] = [];
  const cancellations: Cancellation[] = [];
  const siblings: Siblings = {
    own: OWN,
    count: COUNT,
    readLists: async (worker, asks, timeoutMs, cancellation) => {
      siblingCalls.push({ worker, asks, timeoutMs });
      if (cancellation !== undefined) cancellations.push(cancellation);
      return answer(asks, worker);
    },
    close: () => {},
  };
  const fromTable: LoadLists = async (asks, timeoutMs) => {
    tableCalls.push({ asks, timeoutMs });
    const storedAtMs = clock.now();
    return asks.map(({ user }) => ({ value: listNamed(`table-${user}`), storedAtMs }));
  };
  const load = createSiblingLoad({
    siblings,
    load: fromTable,
    guard: ({ timeoutMs }, work) => work(timeoutMs),
    clock,
    counters,
  });
  const failures = () => counters.get('origin_sibling_failures_total');
  return { clock, failures, load, cancellations, siblingCalls, tableCalls };
}

const named = (asks: readonly ListQuery[]) => asks.map(({ user }) => listNamed(`sibling-${user}`));
const digestsOf = (loaded: Awaited<ReturnType<LoadLists>>) =>
  loaded.map((each) => ('kind' in each ? each.code : each.value.kind === 'list' ? each.value.digest : 'absent'));

describe('the owner of a user', () => {
  test('is one of all, and each owns about as many', () => {
    const owned = [0, 0, 0];
    for (let i = 0; i < 3000; i++)
      owned[chooseWorker(`u:${i}`, COUNT)] = (owned[chooseWorker(`u:${i}`, COUNT)] ?? 0) + 1;
    for (const users of owned) expect(users).toBeGreaterThan(900);
  });

  test('is asked once for all of its users, and every answer comes to its place', async () => {
    const { load, siblingCalls, tableCalls } = setUp(named);
    const users = [userOf(1), userOf(0), userOf(2), userOf(1, 1), userOf(0, 1), userOf(2, 1)] as const;
    const loaded = await load(
      users.map((user) => ask(user)),
      TIMEOUT_MS,
    );
    const [a, b, c, d, e, f] = users;
    expect(digestsOf(loaded)).toEqual([
      ...[`sibling-${a}`, `table-${b}`, `sibling-${c}`, `sibling-${d}`, `table-${e}`, `sibling-${f}`],
    ]);
    expect(siblingCalls.map(({ worker, asks }) => [worker, asks.map(({ user }) => user)])).toEqual([
      [1, [a, d]],
      [2, [c, f]],
    ]);
    expect(tableCalls.map(({ asks }) => asks.map(({ user }) => user))).toEqual([[b, e]]);
  });

  test('is not asked by itself: own users go to the table, with all of the time', async () => {
    const { load, siblingCalls, tableCalls } = setUp(named);
    const own = ask(userOf(OWN), { expand: 'items' });
    await load([own], TIMEOUT_MS);
    expect(siblingCalls).toEqual([]);
    expect(tableCalls).toEqual([{ asks: [own], timeoutMs: TIMEOUT_MS }]);
  });

  test('is told what the asker needs, but for the items, which are put in where they were asked for', async () => {
    const { load, siblingCalls } = setUp(named);
    const asked = ask(userOf(1), { expand: 'items', maxAgeMs: 5, isBackground: true });
    await load([asked], TIMEOUT_MS);
    // As it is sent: what is undefined is not there.
    expect(JSON.parse(JSON.stringify(siblingCalls[0]?.asks))).toEqual([
      ask(userOf(1), { maxAgeMs: 5, isBackground: true }),
    ]);
  });

  test('gets a part of the time, so that some is left for the table', async () => {
    const { load, siblingCalls } = setUp(named);
    await load([ask(userOf(1))], TIMEOUT_MS);
    expect(siblingCalls[0]?.timeoutMs).toBe(700);
  });
});

describe('what comes from another process', () => {
  test('is as old as that says, counted from before it was asked', async () => {
    const { clock, load } = setUp((asks) => {
      clock.advance(40);
      return asks.map((_, i) => (i === 0 ? { ...listNamed('a'), ageMs: 250 } : { kind: 'absent', ageMs: 30 }));
    });
    const askedAtMs = clock.now();
    const loaded = await load([ask(userOf(1)), ask(userOf(1, 1))], TIMEOUT_MS);
    expect(loaded).toEqual([
      { value: listNamed('a'), storedAtMs: askedAtMs - 250 },
      { value: { kind: 'absent' }, storedAtMs: askedAtMs - 30 },
    ]);
  });

  test('without an age was read for this answer: it is of the moment of asking', async () => {
    const { clock, load } = setUp((asks) => {
      clock.advance(40);
      return named(asks);
    });
    const askedAtMs = clock.now();
    expect(await load([ask(userOf(1))], TIMEOUT_MS)).toMatchObject([{ storedAtMs: askedAtMs }]);
  });

  test('may be an error of one key, which stays one and fails no other', async () => {
    const { failures, load, tableCalls } = setUp((asks) => [
      { kind: 'error', code: 'unavailable' },
      ...named(asks.slice(1)),
    ]);
    const loaded = await load([ask(userOf(1)), ask(userOf(1, 1))], TIMEOUT_MS);
    expect(digestsOf(loaded)).toEqual(['unavailable', `sibling-${userOf(1, 1)}`]);
    expect([failures(), tableCalls]).toEqual([0, []]);
  });
});

describe('a process that gives nothing', () => {
  test('is passed over: the table is read, with the time that is left, and for a while it is not asked again', async () => {
    const { clock, failures, load, siblingCalls, tableCalls } = setUp((asks, worker) => {
      if (worker === 2) return named(asks);
      clock.advance(650);
      throw new Error('it hangs');
    });
    const asks = [ask(userOf(1), { expand: 'items' }), ask(userOf(2))];
    const loaded = await load(asks, TIMEOUT_MS);
    expect(digestsOf(loaded)).toEqual([`table-${userOf(1)}`, `sibling-${userOf(2)}`]);
    expect(tableCalls).toEqual([{ asks: [asks[0]], timeoutMs: 350 }]);
    expect(failures()).toBe(1);
    const askedOf1 = () => siblingCalls.filter(({ worker }) => worker === 1).length;
    clock.advance(BYPASS_MS - 1);
    await load(asks, TIMEOUT_MS);
    expect([askedOf1(), tableCalls.length]).toEqual([1, 2]);
    clock.advance(1);
    await load(asks, TIMEOUT_MS);
    expect(askedOf1()).toBe(2);
  });

  test('too late leaves the table the least that a call can be given, never none and never less', async () => {
    const { clock, load, tableCalls } = setUp(() => {
      clock.advance(TIMEOUT_MS * 2);
      throw new Error('it was stopped, and so were we');
    });
    await load([ask(userOf(1))], TIMEOUT_MS);
    expect(tableCalls).toMatchObject([{ timeoutMs: 1 }]);
  });

  test('keeps nobody waiting whose users another keeps', async () => {
    const { promise: never } = Promise.withResolvers<ListResult[]>();
    const { load, siblingCalls, tableCalls } = setUp((asks, worker) => (worker === 1 ? never : named(asks)));
    void load([ask(userOf(1)), ask(userOf(2)), ask(userOf(OWN))], TIMEOUT_MS);
    expect(siblingCalls.map(({ worker }) => worker)).toEqual([1, 2]);
    expect(tableCalls).toHaveLength(1);
  });
});

describe('keys for which nobody waits any more', () => {
  test('end the call to their process when they are all of it, which is no failure of that process', async () => {
    const answer = Promise.withResolvers<ListResult[]>();
    const { failures, load, cancellations, siblingCalls, tableCalls } = setUp(() => answer.promise);
    const waiting = [new CancellationSource(), new CancellationSource()];
    const asks = [ask(userOf(1)), ask(userOf(1, 1))];
    const loading = load(asks, TIMEOUT_MS, waiting);
    waiting[0]?.cancel();
    expect(cancellations.map((cancellation) => cancellation.isCancelled())).toEqual([false]);
    waiting[1]?.cancel();
    expect(cancellations.map((cancellation) => cancellation.isCancelled())).toEqual([true]);
    answer.reject(new CallerCancelled());
    expect(digestsOf(await loading)).toEqual(['deadline_exceeded', 'deadline_exceeded']);
    expect([failures(), tableCalls]).toEqual([0, []]);
    void load([ask(userOf(1))], TIMEOUT_MS);
    expect(siblingCalls).toHaveLength(2);
  });
});
