// What the worker and a region's object say to each other: plain data, which RPC copies, lists as bytes.
import type { Entry } from '../../shared/caching/entry.ts';
import type { Asked } from '../tiers/chain.ts';
import type { ListRequest, LoadFailure, RegionAsked } from '../upstream/region-reader.ts';

export interface RegionCall {
  /** By which it can be cancelled; no other call to the object has the same. */
  readonly id: string;
  /** The region's name: an object does not know its own. */
  readonly region: string;
  /** Milliseconds that the caller still has. */
  readonly deadlineMs: number;
  readonly traceparent: string | undefined;
  readonly devLocation: string | undefined;
  /** At least one, all of users of the object's shard. */
  readonly reads: readonly ListRequest[];
}

/** One per read: an entry, or, when the origin gave none, why, and what is still held. */
export interface RegionRead {
  readonly entry?: Entry;
  /** There when the origin gave nothing; `entry` is stale then. */
  readonly failure?: LoadFailure;
  readonly isFromCache: boolean;
  readonly object: Omit<Asked, 'tier'>;
  readonly origin?: RegionAsked['origin'];
}

/** `overloaded`: the object has as much waiting as it takes, and the caller does better without it. */
export type RegionAnswer =
  | { readonly kind: 'reads'; readonly reads: readonly RegionRead[] }
  | { readonly kind: 'overloaded' };

export interface RegionObject {
  read(call: RegionCall): Promise<RegionAnswer>;
  /** Whoever made the call does not want it any more. What others wait for as well goes on. */
  cancel(id: string): Promise<void>;
}
