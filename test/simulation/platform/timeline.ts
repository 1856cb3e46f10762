// Everything that takes time, one event after the other: timers, which go off when they are due, and deliveries, which
// come at any moment up to the latest. Which of those that are under way comes next is drawn. Between two events all
// code runs that waits for nothing else.
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { Chance } from './chance.ts';

export interface Timeline {
  readonly clock: Clock;
  /** Runs `run` within `withinMs`, at a moment that chance chooses. */
  deliver(label: () => string, withinMs: number, run: () => void): void;
  /** Lets one delivery come now, any that is under way. */
  step(): Promise<void>;
  /** Lets time pass, and happen what happens in it. */
  advance(byMs: number): Promise<void>;
  /** Lets time pass until nothing is under way, timers included. */
  finish(): Promise<void>;
  /** Runs what waits for nothing but its turn. */
  settle(): Promise<void>;
  /** How many events are still to come. */
  pending(): number;
}

interface TimelineEvent {
  readonly label: (() => string) | undefined;
  /** When a timer goes off; until when a delivery has come. */
  readonly dueAtMs: number;
  readonly isTimer: boolean;
  readonly run: () => void;
}

interface TimelineOptions {
  readonly chance: Chance;
  readonly startMs: number;
  /** Runs all that waits for nothing but its turn. */
  readonly drain: () => Promise<void>;
  /** Called after each event; throws to stop. */
  readonly inspect: () => void;
  readonly tell: ((line: string) => void) | undefined;
}

/** More events than any run has: one that goes beyond is going round in circles. */
const MAX_EVENTS = 20_000;

export function createTimeline({ chance, startMs, drain, inspect, tell }: TimelineOptions): Timeline {
  const events: TimelineEvent[] = [];
  let deliveries = 0;
  let fired = 0;
  let nowMs = startMs;

  function remove(at: number): TimelineEvent {
    const event = events[at] as TimelineEvent;
    const last = events.pop() as TimelineEvent;
    if (last !== event) events[at] = last;
    if (!event.isTimer) deliveries--;
    return event;
  }

  /** Of those that are due first any one: which of two at the same moment comes first is nobody's promise. */
  function earliest(untilMs: number): number | undefined {
    let found: number | undefined;
    let dueAtMs = untilMs;
    const from = events.length === 0 ? 0 : chance.below(events.length);
    for (let n = 0; n < events.length; n++) {
      const i = (from + n) % events.length;
      const event = events[i] as TimelineEvent;
      if (event.dueAtMs > dueAtMs || (event.dueAtMs === dueAtMs && found !== undefined)) continue;
      found = i;
      dueAtMs = event.dueAtMs;
    }
    return found;
  }

  function anyDelivery(): number {
    let at = chance.below(events.length);
    while (events[at]?.isTimer) at = (at + 1) % events.length;
    return at;
  }

  async function fire(at: number): Promise<void> {
    if (++fired > MAX_EVENTS) throw new Error(`expected at most ${MAX_EVENTS} events`);
    const event = remove(at);
    if (event.label !== undefined) tell?.(event.label());
    event.run();
    await settle();
  }

  async function settle(): Promise<void> {
    await drain();
    inspect();
  }

  async function advanceTo(untilMs: number): Promise<void> {
    while (true) {
      const due = earliest(untilMs);
      if (due === undefined) break;
      const { dueAtMs } = events[due] as TimelineEvent;
      if (deliveries > 0 && chance.is(0.4)) {
        nowMs = Math.max(nowMs, nowMs + chance.below(dueAtMs - nowMs + 1));
        await fire(anyDelivery());
      } else {
        nowMs = Math.max(nowMs, dueAtMs);
        await fire(due);
      }
    }
    nowMs = Math.max(nowMs, untilMs);
  }

  return {
    clock: {
      now: () => nowMs,
      monotonicNow: () => nowMs,
      setTimeout: (run, delayMs) => {
        const event = { label: undefined, dueAtMs: nowMs + Math.max(0, Math.ceil(delayMs)), isTimer: true, run };
        events.push(event);
        return () => {
          const at = events.indexOf(event);
          if (at !== -1) remove(at);
        };
      },
    },
    deliver: (label, withinMs, run) => {
      deliveries++;
      events.push({ label, dueAtMs: nowMs + chance.below(withinMs + 1), isTimer: false, run });
    },
    step: async () => {
      if (deliveries > 0) await fire(anyDelivery());
    },
    advance: (byMs) => advanceTo(nowMs + byMs),
    finish: async () => {
      while (events.length > 0) {
        const due = earliest(Number.MAX_SAFE_INTEGER) as number;
        await advanceTo((events[due] as TimelineEvent).dueAtMs);
      }
    },
    settle,
    pending: () => events.length,
  };
}

/**
 * The longest way that a value goes through the code without waiting for anything is some eighty awaits; microtasks run
 * in the order in which they were queued, so this many turns are enough for every one of them.
 */
const TURNS = 96;

export async function runMicrotasks(times = 1): Promise<void> {
  for (let i = 0; i < TURNS * times; i++) await undefined;
}
