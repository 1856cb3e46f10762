// Messages between the worker and a region object: plain data that RPC copies, with lists as bytes.
import type { Entry } from '../../shared/caching/entry.ts';
import type { ListRequest, LoadFailure } from '../reads/list-source.ts';
import type { RegionLookup } from '../reads/trail.ts';
import type { TierLookup } from '../tiers/tier.ts';

export interface RegionCall {
  /** MESSAGE_VERSION of the worker's build. Absent in version 1. */
  readonly version?: number;
  /** Unique among all calls to the object. Cancellation names it. */
  readonly id: string;
  /** Name of the region: an object does not know its own. */
  readonly region: string;
  /** Remaining time of the caller in milliseconds. */
  readonly deadlineMs: number;
  /** Absent in a call of a worker of an earlier build: objects are updated minutes before or after it. */
  readonly requestId?: string;
  readonly traceparent: string | undefined;
  readonly devLocation: string | undefined;
  /** At least one, all for users of the object's shard. */
  readonly reads: readonly ListRequest[];
}

/** One per read: an entry, or the failure of the origin with the stale entry that the object still has. */
export interface RegionRead {
  readonly entry?: Entry;
  /** Set if the origin returned nothing. `entry` is stale then. */
  readonly failure?: LoadFailure;
  readonly isFromCache: boolean;
  readonly object: Omit<TierLookup, 'tier'>;
  readonly origin?: RegionLookup['origin'];
}

interface FromObject {
  /** MESSAGE_VERSION of the object's build. Absent in version 1. */
  readonly version?: number;
  /** The object's build. Absent before version 3. */
  readonly build?: string;
  /** The last build that the region's origin named to the object, and the version of its messages. Since version 3. */
  readonly origin?: { readonly build: string; readonly messages: number };
}

/** `overloaded`: too many keys wait in the object, and the caller should bypass it. */
export type RegionAnswer =
  | (FromObject & { readonly kind: 'reads'; readonly reads: readonly RegionRead[] })
  | (FromObject & { readonly kind: 'overloaded' });

export interface RegionObject {
  read(call: RegionCall): Promise<RegionAnswer>;
  /** Cancels a call. Loads that other calls wait for continue. */
  cancel(id: string): Promise<void>;
}
