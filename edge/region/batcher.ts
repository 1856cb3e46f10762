// Batches the misses of concurrent callers into few calls to the origin. A miss leaves immediately if no call is in
// flight. Later misses leave together when the call returns, or after a short linger, so that one slow call does not
// delay the rest. Calls and waiting misses are bounded. A call that no caller waits for is cancelled.
import { combineCancellations } from '../../shared/caching/cancellation.ts';
import type { Region } from '../../shared/domain/regions.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { MAX_KEYS_PER_READ } from '../../shared/wire/read-response.ts';
import type { ListRequest, ListSource, LoadResult } from '../reads/list-source.ts';
import type { RegionReader } from '../reads/region-reader.ts';
import { type Call, remainingMs } from '../request/call.ts';

export interface Batcher extends ListSource {
  /** Number of misses that wait to leave. */
  waiting(): number;
}

interface BatcherOptions {
  readonly region: Region;
  readonly origin: RegionReader;
  readonly clock: Clock;
}

/** The platform allows 6 connections per invocation; two stay free for other calls. */
export const MAX_CALLS = 4;
/** About the duration of a call within a region. A longer linger would cost more than it saves. */
export const MAX_LINGER_MS = 20;

/** No caller reads it. */
const CANCELLED: LoadResult = { kind: 'failed', reason: 'wait-ended', regions: [] };

interface Waiting {
  readonly request: ListRequest;
  readonly call: Call;
  readonly settle: (result: LoadResult) => void;
}

export function createBatcher({ region, origin, clock }: BatcherOptions): Batcher {
  const timedOut: LoadResult = {
    kind: 'failed',
    reason: 'region-unavailable',
    regions: [{ region: region.name, origin: { detail: 'timeout' } }],
  };
  let waiting: Waiting[] = [];
  let calls = 0;
  let cancelLinger: (() => void) | undefined;

  function sendWhenDue(): void {
    while (waiting.length > 0 && (calls === 0 || (calls < MAX_CALLS && waiting.length >= MAX_KEYS_PER_READ)))
      sendBatch();
    if (waiting.length === 0 || calls >= MAX_CALLS) return;
    cancelLinger ??= clock.setTimeout(() => {
      cancelLinger = undefined;
      if (calls < MAX_CALLS) sendBatch();
      sendWhenDue();
    }, MAX_LINGER_MS);
  }

  function sendBatch(): void {
    const batch = takeBatch().filter(settleUnwanted);
    if (batch.length === 0) return;
    calls++;
    const sent = readBatch(batch).finally(() => {
      calls--;
      sendWhenDue();
    });
    for (const { call } of batch) call.waitUntil(sent);
  }

  function takeBatch(): readonly Waiting[] {
    const batch = waiting.slice(0, MAX_KEYS_PER_READ);
    waiting = waiting.slice(MAX_KEYS_PER_READ);
    if (waiting.length === 0) {
      cancelLinger?.();
      cancelLinger = undefined;
    }
    return batch;
  }

  /** Settles a miss that is cancelled or out of time. Returns whether the miss still needs a call. */
  function settleUnwanted({ call, settle }: Waiting): boolean {
    if (call.cancellation?.isCancelled()) settle(CANCELLED);
    else if (remainingMs(call, clock) === 0) settle(timedOut);
    else return true;
    return false;
  }

  async function readBatch(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    // The longest deadline bounds the call. Callers with less time stop waiting earlier.
    const deadlineAtMs = Math.max(...batch.map(({ call }) => call.deadlineAtMs));
    const cancellation = combineCancellations(batch.map(({ call }) => call.cancellation));
    const requests = batch.map(({ request }) => request);
    const results = await origin.read(region, requests, { ...first.call, deadlineAtMs, cancellation });
    for (const [i, { settle }] of batch.entries()) {
      const result = results[i] as LoadResult;
      settle(result.kind === 'failed' && cancellation.isCancelled() ? CANCELLED : result);
    }
  }

  return {
    load: (requests, call) => {
      const loads = requests.map((request) => {
        const { promise, resolve } = Promise.withResolvers<LoadResult>();
        waiting.push({ request, call, settle: resolve });
        return promise;
      });
      sendWhenDue();
      return Promise.all(loads);
    },
    waiting: () => waiting.length,
  };
}
