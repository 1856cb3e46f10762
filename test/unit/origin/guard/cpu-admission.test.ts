import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { createCpuAdmission, watchLoop } from '../../../../origin/guard/cpu-admission.ts';

/** ms of CPU. */
const SERVE_MS = 1;
const SHED_MS = 0.1;
const REFUSE_MS = 0.02;
/** The longest wait in the queue, in ms. */
const QUEUE_MS = 5;

/**
 * A process with one core. It sheds admitted reads for which no CPU is left. `lagMs` is the loop's lag while busy.
 */
function runProcess({ isSlowTable = false, shedsNothing = false, lagMs = 5 } = {}) {
  const clock = createManualClock();
  let spentMs = 0;
  let sinceMs = 0;
  const admission = createCpuAdmission({
    clock,
    loopLoad: () => {
      const utilization = Math.min(1, spentMs / (clock.monotonicNow() - sinceMs));
      sinceMs = clock.monotonicNow();
      spentMs = 0;
      return { utilization, lagMs: utilization === 1 ? lagMs : 0 };
    },
  });

  /** `perMs` requests per ms for `ms`. Returns the share served, and the share refused by the admission. */
  function offer(perMs: number, ms: number): { served: number; refused: number } {
    let served = 0;
    let refused = 0;
    let offered = 0;
    for (let t = 0; t < ms; t++) {
      clock.advance(1);
      for (; offered < (t + 1) * perMs; offered++) {
        if (!admission.admit()) {
          refused++;
          spentMs += REFUSE_MS;
        } else if (isSlowTable || (!shedsNothing && spentMs + SERVE_MS > clock.monotonicNow() - sinceMs + QUEUE_MS)) {
          admission.recordShed();
          spentMs += SHED_MS;
        } else {
          served++;
          spentMs += SERVE_MS;
        }
      }
    }
    return { served: served / offered, refused: refused / offered };
  }
  return { admission, offer };
}

describe('the gate', () => {
  test('refuses nothing while the process serves all requests', () => {
    expect(runProcess().offer(0.8, 10_000)).toEqual({ served: 1, refused: 0 });
  });

  test('refuses nothing for a slow table while CPU is left', () => {
    expect(runProcess({ isSlowTable: true }).offer(5, 10_000)).toEqual({ served: 0, refused: 0 });
  });

  test('at 3 times the capacity leaves the CPU for reads, and refuses nothing 1 s later', () => {
    const { admission, offer } = runProcess();
    offer(3, 2000);
    const { served, refused } = offer(3, 30_000);
    // At most a third can be served, minus the cost of the refusals.
    expect(served).toBeGreaterThan(0.9 / 3);
    expect(refused).toBeGreaterThan(0.55);
    offer(0.5, 1000);
    expect(admission.admittedShare()).toBe(1);
    expect(offer(0.5, 2000)).toEqual({ served: 1, refused: 0 });
  });

  test('always admits one request in twenty', () => {
    const { offer } = runProcess();
    offer(200, 1000);
    expect(offer(200, 1000).refused).toBeCloseTo(0.95, 2);
  });

  test('refuses requests when the event loop lags, though nothing is shed', () => {
    const { offer } = runProcess({ shedsNothing: true, lagMs: 30 });
    offer(3, 2000);
    const { refused } = offer(3, 10_000);
    expect(refused).toBeGreaterThan(0.6);
    expect(refused).toBeLessThan(0.75);
  });

  test('refuses nothing for one long turn of a busy process', () => {
    let lags = [...Array.from({ length: 15 }, () => 5), 45];
    const clock = createManualClock();
    const admission = createCpuAdmission({ clock, loopLoad: () => ({ utilization: 1, lagMs: lags.shift() ?? 5 }) });
    for (let i = 0; i < 120; i++) {
      clock.advance(10);
      expect(admission.admit()).toBe(true);
    }
    lags = Array.from({ length: 20 }, () => 60);
    for (let i = 0; i < 100; i++) {
      clock.advance(10);
      admission.admit();
    }
    expect(admission.admittedShare()).toBeLessThan(0.3);
  });

  test('spreads admitted requests evenly', () => {
    const { admission, offer } = runProcess();
    offer(3, 3000);
    const share = admission.admittedShare();
    let gap = 0;
    for (let i = 0; i < 40; i++) {
      gap = admission.admit() ? 0 : gap + 1;
      expect(gap).toBeLessThanOrEqual(Math.ceil(1 / share));
    }
  });
});

test('measures utilization and lag of a busy process', async () => {
  const load = watchLoop();
  await new Promise((resolve) => setTimeout(resolve, 50));
  load();
  const untilMs = performance.now() + 120;
  while (performance.now() < untilMs);
  await new Promise((resolve) => setTimeout(resolve, 15));
  const busy = load();
  expect(busy.utilization).toBeGreaterThan(0.6);
  expect(busy.lagMs).toBeGreaterThan(20);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(load().utilization).toBeLessThan(busy.utilization);
});
