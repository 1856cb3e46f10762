// Misses of many callers, as few calls to the origin. A miss leaves at once when no call is out; those that come while one is out leave together
// when it returns, or, because one slow call must not hold up all others, after a short while. Both the calls and the misses are bounded. A call
// for which nobody waits any more is cancelled.

import { presenceOfAll } from '../../shared/caching/cancellation.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { MAX_KEYS_PER_READ } from '../../shared/wire/read-response.ts';
import type { ListSource } from '../reads/read-through.ts';
import { type Call, remainingMs } from '../request/call.ts';
import type { ListRequest, Loaded, RegionReader } from '../upstream/region-reader.ts';

export interface Batcher extends ListSource {
  /** How many misses wait to leave. */
  waiting(): number;
}

interface BatcherOptions {
  readonly region: Region;
  readonly origin: RegionReader;
  readonly clock: Clock;
}

/** A platform limit is 6 connections; some are left for others. */
export const MAX_CALLS = 4;
/** About the time of a call within a region: waiting longer for one to return would cost more than it saves. */
export const MAX_LINGER_MS = 20;

/** Nobody reads it. */
const CANCELLED: Loaded = { kind: 'failed', isRegionAtFault: false, asked: [] };

interface Waiting {
  readonly request: ListRequest;
  readonly call: Call;
  readonly settle: (loaded: Loaded) => void;
}

export function createBatcher({ region, origin, clock }: BatcherOptions): Batcher {
  const tooLate: Loaded = {
    kind: 'failed',
    isRegionAtFault: true,
    asked: [{ region: region.name, origin: { detail: 'timeout' } }],
  };
  let waiting: Waiting[] = [];
  let calls = 0;
  let cancelLinger: (() => void) | undefined;

  function leaveWhenDue(): void {
    while (waiting.length > 0 && (calls === 0 || (calls < MAX_CALLS && waiting.length >= MAX_KEYS_PER_READ))) leave();
    if (waiting.length === 0 || calls >= MAX_CALLS) return;
    cancelLinger ??= clock.setTimeout(() => {
      cancelLinger = undefined;
      if (calls < MAX_CALLS) leave();
      leaveWhenDue();
    }, MAX_LINGER_MS);
  }

  function leave(): void {
    const batch = waiting.slice(0, MAX_KEYS_PER_READ);
    waiting = waiting.slice(MAX_KEYS_PER_READ);
    if (waiting.length === 0) {
      cancelLinger?.();
      cancelLinger = undefined;
    }
    const wanted: Waiting[] = [];
    for (const each of batch) {
      if (each.call.presence?.isGone()) each.settle(CANCELLED);
      else if (remainingMs(each.call, clock) === 0) each.settle(tooLate);
      else wanted.push(each);
    }
    if (wanted.length === 0) return;
    calls++;
    const sent = send(wanted).finally(() => {
      calls--;
      leaveWhenDue();
    });
    for (const { call } of wanted) call.waitUntil(sent);
  }

  async function send(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    // The one with the most time left decides how long the call may take; the others leave it when theirs is up.
    const deadlineAtMs = Math.max(...batch.map(({ call }) => call.deadlineAtMs));
    const presence = presenceOfAll(batch.map(({ call }) => call.presence));
    const loaded = await origin.read(
      region,
      batch.map(({ request }) => request),
      { ...first.call, deadlineAtMs, presence },
    );
    for (const [i, { settle }] of batch.entries()) {
      const each = loaded[i] as Loaded;
      settle(each.kind === 'failed' && presence.isGone() ? CANCELLED : each);
    }
  }

  return {
    load: (requests, call) => {
      const loads = requests.map((request) => {
        const { promise, resolve } = Promise.withResolvers<Loaded>();
        waiting.push({ request, call, settle: resolve });
        return promise;
      });
      leaveWhenDue();
      return Promise.all(loads);
    },
    waiting: () => waiting.length,
  };
}
