// The order of all delayed events: timers fire when they are due, and deliveries arrive at any time up to their limit.
// The next delivery is drawn at random. Between two events all ready code runs.
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { Chance } from '../../support/chance.ts';

export interface Timeline {
  readonly clock: Clock;
  /** Runs `run` within `withinMs`, at a random moment. */
  deliver(label: () => string, withinMs: number, run: () => void): void;
  /** Delivers one pending delivery now, at random. */
  step(): Promise<void>;
  /** Advances the time and runs the events in between. */
  advance(byMs: number): Promise<void>;
  /** Advances the time until no event is pending, timers included. */
  finish(): Promise<void>;
  /** Runs all ready code. */
  settle(): Promise<void>;
  /** Number of pending events. */
  pending(): number;
}

interface TimelineEvent {
  readonly label: (() => string) | undefined;
  /** Due time of a timer; latest arrival of a delivery. */
  readonly dueAtMs: number;
  readonly isTimer: boolean;
  readonly run: () => void;
}

interface TimelineOptions {
  readonly chance: Chance;
  readonly startMs: number;
  /** Runs all ready code. */
  readonly drain: () => Promise<void>;
  /** Called after each event. A throw stops the run. */
  readonly inspect: () => void;
  readonly tell: ((line: string) => void) | undefined;
}

/** No run has this many events; more of them mean an endless loop. */
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

  /** Picks one of the earliest events at random: the order of simultaneous events is not guaranteed. */
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
 * The longest chain of awaits without I/O has some eighty steps. Microtasks run in the order of their queue, so this
 * many turns suffice for each chain.
 */
const TURNS = 96;

export async function runMicrotasks(times = 1): Promise<void> {
  for (let i = 0; i < TURNS * times; i++) await undefined;
}
