// The clock of a simulation: it jumps to the next event. It keeps its timers in a heap; the manual clock scans all of
// its timers per event.
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../../../shared/runtime/clock.ts';

export interface SimulatedClock extends Clock {
  /** Runs every event up to `untilMs`, and the microtasks of each before the next. */
  runUntil(untilMs: number): Promise<void>;
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  fn: (() => void) | undefined;
}

export function createSimulatedClock(): SimulatedClock {
  const heap: Event[] = [];
  let nowMs = 0;
  let order = 0;

  return {
    now: () => nowMs,
    monotonicNow: () => nowMs,
    setTimeout: (fn, delayMs) => {
      const event: Event = { atMs: nowMs + Math.max(0, delayMs), order: order++, fn };
      push(heap, event);
      return () => {
        event.fn = undefined;
      };
    },
    runUntil: async (untilMs) => {
      for (let event = heap[0]; event !== undefined && event.atMs <= untilMs; event = heap[0]) {
        pop(heap);
        if (event.fn === undefined) continue;
        nowMs = event.atMs;
        event.fn();
        await setImmediate();
      }
      nowMs = untilMs;
    },
  };
}

const isBefore = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let i = heap.length;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent] as Event;
    if (!isBefore(event, above)) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let i = 0;
  while (true) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
    if (!isBefore(heap[child] as Event, last)) break;
    heap[i] = heap[child] as Event;
    i = child;
  }
  heap[i] = last;
}
