import { describe, expect, test } from 'vitest';
import { createGate, watchLoop } from '../../../../origin/guard/cpu-admission.ts';
import { createManualClock } from '../../../../shared/runtime/clock.ts';

/** ms of CPU. */
const SERVE_MS = 1;
const SHED_MS = 0.1;
const REFUSE_MS = 0.02;
/** What may wait. */
const QUEUE_MS = 5;

/**
 * A process with one core, which sheds what comes through the gate and finds no CPU left. `lagMs` is what its loop lags
 * when busy.
 */
function runProcess({ isSlowTable = false, shedsNothing = false, lagMs = 5 } = {}) {
  const clock = createManualClock();
  let spentMs = 0;
  let sinceMs = 0;
  const gate = createGate({
    clock,
    loopLoad: () => {
      const utilization = Math.min(1, spentMs / (clock.monotonicNow() - sinceMs));
      sinceMs = clock.monotonicNow();
      spentMs = 0;
      return { utilization, lagMs: utilization === 1 ? lagMs : 0 };
    },
  });

  /** `perMs` requests for `ms`: the part that was served, and the part that was refused at the gate. */
  function offer(perMs: number, ms: number): { served: number; refused: number } {
    let served = 0;
    let refused = 0;
    let offered = 0;
    for (let t = 0; t < ms; t++) {
      clock.advance(1);
      for (; offered < (t + 1) * perMs; offered++) {
        if (gate.refuses()) {
          refused++;
          spentMs += REFUSE_MS;
        } else if (isSlowTable || (!shedsNothing && spentMs + SERVE_MS > clock.monotonicNow() - sinceMs + QUEUE_MS)) {
          gate.noteShed();
          spentMs += SHED_MS;
        } else {
          served++;
          spentMs += SERVE_MS;
        }
      }
    }
    return { served: served / offered, refused: refused / offered };
  }
  return { gate, offer };
}

describe('the gate', () => {
  test('of a process that can serve all is open', () => {
    expect(runProcess().offer(0.8, 10_000)).toEqual({ served: 1, refused: 0 });
  });

  test('is open before a table that is slow, whatever is shed, while there is CPU left', () => {
    expect(runProcess({ isSlowTable: true }).offer(5, 10_000)).toEqual({ served: 0, refused: 0 });
  });

  test('at 3 times what the process can serve leaves it the CPU to serve, and is open again 1 s later', () => {
    const { gate, offer } = runProcess();
    offer(3, 2000);
    const { served, refused } = offer(3, 30_000);
    // All that could be served is a third, less what the refusals cost.
    expect(served).toBeGreaterThan(0.9 / 3);
    expect(refused).toBeGreaterThan(0.55);
    offer(0.5, 1000);
    expect(gate.admittedShare()).toBe(1);
    expect(offer(0.5, 2000)).toEqual({ served: 1, refused: 0 });
  });

  test('never closes for good: one in twenty comes through however much is asked', () => {
    const { offer } = runProcess();
    offer(200, 1000);
    expect(offer(200, 1000).refused).toBeCloseTo(0.95, 2);
  });

  test('closes when memory has all and the loop lags, though nothing is shed', () => {
    const { offer } = runProcess({ shedsNothing: true, lagMs: 30 });
    offer(3, 2000);
    const { refused } = offer(3, 10_000);
    expect(refused).toBeGreaterThan(0.6);
    expect(refused).toBeLessThan(0.75);
  });

  test('does not close for one turn that took long, however busy the process is', () => {
    let lags = [...Array.from({ length: 15 }, () => 5), 45];
    const clock = createManualClock();
    const gate = createGate({ clock, loopLoad: () => ({ utilization: 1, lagMs: lags.shift() ?? 5 }) });
    for (let i = 0; i < 120; i++) {
      clock.advance(10);
      expect(gate.refuses()).toBe(false);
    }
    lags = Array.from({ length: 20 }, () => 60);
    for (let i = 0; i < 100; i++) {
      clock.advance(10);
      gate.refuses();
    }
    expect(gate.admittedShare()).toBeLessThan(0.3);
  });

  test('spreads what it lets through evenly', () => {
    const { gate, offer } = runProcess();
    offer(3, 3000);
    const share = gate.admittedShare();
    let gap = 0;
    for (let i = 0; i < 40; i++) {
      gap = gate.refuses() ? gap + 1 : 0;
      expect(gap).toBeLessThanOrEqual(Math.ceil(1 / share));
    }
  });
});

test('the load of this process: busy when it is, and late', async () => {
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
