// In any order of events the bulkhead counts its slots correctly: no read starts without a free slot, none is lost, and
// none stays queued.
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createBulkhead } from '../../../../origin/guard/bulkhead.ts';
import { CancellationSource } from '../../../../shared/caching/cancellation.ts';

type Step =
  | { readonly do: 'ask'; readonly weight: number; readonly isBackground: boolean; readonly timeoutMs: number }
  | { readonly do: 'resolve' | 'reject' | 'abort'; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'limit'; readonly to: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      weight: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 200 })),
      isBackground: fc.boolean(),
      timeoutMs: fc.integer({ min: 0, max: 100 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('resolve' as const, 'reject' as const, 'abort' as const),
      which: fc.nat({ max: 50 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('limit' as const), to: fc.integer({ min: 1, max: 150 }) }) },
);

function setUp() {
  const clock = createManualClock();
  const running: { readonly weight: number; resolve(): void; reject(error: Error): void }[] = [];
  const callers: CancellationSource[] = [];
  const problems: string[] = [];
  let limit = 100;
  let asked = 0;
  let settled = 0;
  let startedCount = 0;
  let notStarted = 0;
  const sum = (): number => running.reduce((total, { weight }) => total + weight, 0);
  const bulkhead = createBulkhead({
    clock,
    limit: { limit: () => limit, observe: () => undefined, expectMs: () => 3 },
    queueSlots: 300,
    maxWaiting: 12,
    onShed: () => {
      notStarted++;
    },
  });

  function request({ weight, isBackground, timeoutMs }: Extract<Step, { do: 'ask' }>): void {
    const caller = new CancellationSource();
    callers.push(caller);
    asked++;
    const work = (): Promise<void> =>
      new Promise((resolve, reject) => {
        startedCount++;
        if (sum() > 0 && sum() >= limit) problems.push(`${weight} started beside ${sum()} of ${limit}`);
        running.push({ weight, resolve, reject });
      });
    const ended = (): void => {
      settled++;
    };
    bulkhead
      .run({ priority: isBackground ? 'background' : 'foreground', weight, timeoutMs, cancellation: caller }, work)
      .then(ended, ended);
  }

  function apply(each: Step): void {
    if (each.do === 'ask') request(each);
    else if (each.do === 'pass') clock.advance(each.ms);
    else if (each.do === 'limit') limit = each.to;
    else if (each.do === 'abort') callers[each.which % Math.max(1, callers.length)]?.cancel();
    else {
      const [work] = running.splice(each.which % Math.max(1, running.length), 1);
      if (each.do === 'resolve') work?.resolve();
      else work?.reject(new Error('failed'));
    }
  }

  const check = (): void => {
    const { executing, queued, waiting } = bulkhead.state();
    if (executing !== sum()) problems.push(`${executing} are said to be under way, ${sum()} are`);
    if (waiting > 12 || queued < 0) problems.push(`${waiting} wait with ${queued} keys`);
    if (queued > 300 && waiting > 1) problems.push(`${queued} keys wait`);
  };
  const drain = async (): Promise<void> => {
    for (let work = running.shift(); work !== undefined; work = running.shift()) {
      work.resolve();
      await setImmediate();
    }
    clock.advance(1000);
    await setImmediate();
  };
  return {
    apply,
    check,
    drain,
    problems,
    left: () => ({ ...bulkhead.state(), limit: 0, timers: clock.pending() }),
    counts: () => ({ asked, settled, startedCount, notStarted }),
  };
}

test('no read starts when all slots are taken and every read is settled, whatever the order of events', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 120 }), async (steps) => {
      const world = setUp();
      for (const each of steps) {
        world.apply(each);
        await setImmediate();
        world.check();
      }
      await world.drain();
      expect(world.problems).toEqual([]);
      expect(world.left()).toEqual({ executing: 0, queued: 0, waiting: 0, limit: 0, timers: 0 });
      const { asked, settled, startedCount, notStarted } = world.counts();
      expect(settled).toBe(asked);
      expect(startedCount + notStarted).toBeLessThanOrEqual(asked);
    }),
    { numRuns: 300 },
  );
});
