// Lists from the regions: the caller's nearest first, the next one for what failed, each at most once, and nothing past the deadline.
import type { Clock } from '../../shared/clock.ts';
import type { Counters } from '../../shared/counters.ts';
import type { ListValue } from '../../shared/entry.ts';
import { problemOf } from '../../shared/errors.ts';
import type { ListKey } from '../../shared/keys.ts';
import type { ListResult } from '../../shared/list-frames.ts';
import type { Region } from '../../shared/regions.ts';
import { type Call, remainingMs } from '../call.ts';
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
}

export function createUpstream({ client, clock, counters }: UpstreamOptions): Upstream {
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
        if (answer.kind === 'failed') call.failedRegions.add(region.name);
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
