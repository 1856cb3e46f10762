// Lists from the regions: the caller's nearest first, the next one for what failed, each at most once, and nothing past the deadline. A
// region that failed as a whole is asked for no other list in the same request: a request costs each region that is down one call.
import type { Clock } from '../../shared/clock.ts';
import type { Counters } from '../../shared/counters.ts';
import type { ListValue } from '../../shared/entry.ts';
import { problemOf } from '../../shared/errors.ts';
import type { ListKey } from '../../shared/keys.ts';
import type { ListResult } from '../../shared/list-frames.ts';
import type { Region } from '../../shared/regions.ts';
import { type Call, remainingMs, traceIdOf } from '../call.ts';
import type { Log } from '../log.ts';
import type { OriginAnswer, OriginClient } from './origin-client.ts';

/** What one region said of one key: the status it gave, or why it gave none. */
export interface RegionAsked {
  readonly region: string;
  readonly status?: number;
  readonly detail?: string;
}

export interface KeyRead {
  /** Undefined when no region could tell. */
  readonly value: ListValue | undefined;
  readonly asked: readonly RegionAsked[];
}

export interface Upstream {
  /** One read per key, in the order of the keys. */
  readLists(keys: readonly ListKey[], call: Call): Promise<KeyRead[]>;
}

interface UpstreamOptions {
  readonly client: OriginClient;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

export function createUpstream({ client, clock, counters, log }: UpstreamOptions): Upstream {
  /** Notes a region that cannot be read from, be it that its origin failed or that its origin says so of its table. */
  function noteFailure(region: Region, answer: OriginAnswer<ListResult[]>, call: Call): void {
    const reason = answer.kind === 'failed' ? answer.failure.reason : tableFailureOf(answer.value);
    if (reason === undefined) return;
    call.failedRegions.add(region.name);
    if (answer.kind === 'failed') return;
    log.warn('table_failed', { region: region.name, reason, traceId: traceIdOf(call.traceparent) });
  }

  return {
    readLists: async (keys, call) => {
      const reads = keys.map((key) => ({ key, value: undefined as ListValue | undefined, asked: [] as RegionAsked[] }));
      for (const region of call.regions) {
        const open = reads.filter(({ value }) => value === undefined);
        if (open.length === 0 || remainingMs(call, clock) === 0) break;
        if (call.failedRegions.has(region.name)) continue;
        counters.add('edge_failovers_total', open.filter(({ asked }) => asked.length > 0).length);
        const openKeys = open.map(({ key }) => key);
        const answer = await call.timings.time('origin', () => client.readLists(region, openKeys, call), region.name);
        noteFailure(region, answer, call);
        for (const [i, read] of open.entries()) {
          const { value, asked } = readOf(region, answer, i);
          read.value = value;
          read.asked.push(asked);
        }
      }
      return reads;
    },
  };
}

/**
 * The code of the first result when every one of them is an error that passes in time, which is how an origin tells that its table is out of
 * reach. An error of another kind is about the key, and the next key may be read there.
 */
function tableFailureOf(results: readonly ListResult[]): string | undefined {
  const codes = results.map((result) =>
    result.kind === 'error' && problemOf(result.code).retryable ? result.code : undefined,
  );
  return codes.includes(undefined) ? undefined : codes[0];
}

function readOf(
  { name: region }: Region,
  answer: OriginAnswer<ListResult[]>,
  i: number,
): { value: ListValue | undefined; asked: RegionAsked } {
  if (answer.kind === 'failed') {
    const { reason, status } = answer.failure;
    return {
      value: undefined,
      asked: status === undefined ? { region, detail: reason } : describeStatus(region, status, reason),
    };
  }
  const result = answer.value[i];
  if (result === undefined) throw new Error('expected a result for every key; list-frames.ts sees to it');
  switch (result.kind) {
    case 'list':
      return { value: result, asked: { region, status: 200 } };
    case 'absent':
      return { value: result, asked: { region, status: 404 } };
    case 'error':
      return { value: undefined, asked: { region, status: problemOf(result.code).status } };
  }
}

/** A status that speaks for itself needs no detail; a 200 that could not be read does. */
const describeStatus = (region: string, status: number, reason: string): RegionAsked =>
  reason === 'status' ? { region, status } : { region, status, detail: reason };
