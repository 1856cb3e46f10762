// Which manifest is live: fresh for 5 s, served while one refresh runs up to 10 s, waited for beyond that, and kept for 24 h when no origin
// can tell. Its version never goes backwards in an isolate: what a lagging region says is not taken.

import { type Manifest, parseManifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { Log } from '../log.ts';
import { type Call, remainingMs } from '../request/call.ts';
import { withTimeout } from '../request/with-timeout.ts';
import { isRegionDown, type OriginClient } from '../upstream/origin-client.ts';
import type { ManifestCache, StoredManifest } from './colo-cache.ts';

const FRESH_MS = 5_000;
const STALE_MS = 10_000;
/** How long a manifest is kept that no region confirms. */
export const KEEP_MS = 86_400_000;
/** After a failure the origins are left alone for this long. */
const RETRY_AFTER_MS = 1_000;
/** For this long after a failure requests are served from what is held instead of waiting: while origins are down, hits stay fast. */
const FAILING_MS = 10_000;
/** A refresh older than this has lost the request that carried it; another may start. */
const REFRESH_AGE_TIMEOUT_MS = 15_000;

export interface ManifestStore {
  /** The live manifest, if a region confirmed it within the last 5 s. */
  getFresh(): LiveManifest | undefined;
  /** The live manifest; throws `unavailable` when there is none to be had. Regions that were waited for in vain count as failed for `call`. */
  get(call: Call): Promise<LiveManifest>;
  /** The manifest that is held, however old, if one is. */
  peek(): Manifest | undefined;
}

export interface LiveManifest {
  readonly manifest: Manifest;
  /** When a region last confirmed that this is what is live. */
  readonly checkedAtMs: number;
}

interface ManifestStoreOptions {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly client: OriginClient;
  readonly cache: ManifestCache;
}

interface Held extends StoredManifest, LiveManifest {
  /** When a region last had this version. */
  readonly seenAtMs: number;
}

interface Refresh {
  readonly done: Promise<void>;
  readonly startedAtMs: number;
  /** Regions that are down, as far as it has asked. */
  readonly failedRegions: ReadonlySet<string>;
}

export function createManifestStore({ clock, counters, log, client, cache }: ManifestStoreOptions): ManifestStore {
  let held: Held | undefined;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let refresh: Refresh | undefined;

  const ageMs = (): number => (held === undefined ? Number.POSITIVE_INFINITY : clock.now() - held.checkedAtMs);
  const sinceFailureMs = (): number => clock.now() - failedAtMs;

  /** Joins the refresh under way, or starts one. The request that starts it holds it with waitUntil, so it outlives that request's client. */
  function joinRefresh(call: Call): Refresh {
    const startedAtMs = clock.now();
    if (refresh !== undefined && startedAtMs - refresh.startedAtMs < REFRESH_AGE_TIMEOUT_MS) return refresh;
    const failedRegions = new Set<string>();
    const done = runRefresh({ ...call, failedRegions }).finally(() => {
      if (refresh?.done === done) refresh = undefined;
    });
    refresh = { done, startedAtMs, failedRegions };
    call.waitUntil(done);
    return refresh;
  }

  async function runRefresh(call: Call): Promise<void> {
    const stored = await cache.get();
    if (stored !== undefined && stored.checkedAtMs > (held?.checkedAtMs ?? Number.NEGATIVE_INFINITY)) take(stored);
    if (ageMs() < FRESH_MS) return;
    const outcome = await askRegions(call);
    if (outcome === 'failed') {
      failedAtMs = clock.now();
      counters.add('edge_manifest_failures_total');
      log.error('manifest_refresh_failed', { heldVersion: held?.manifest.version });
      return;
    }
    failedAtMs = Number.NEGATIVE_INFINITY;
    if (held !== undefined && outcome === 'current') call.waitUntil(cache.set(held));
  }

  /** `current`: a region gave or confirmed what is held now. `lagging`: every region that answered is behind it. */
  async function askRegions(call: Call): Promise<'current' | 'lagging' | 'failed'> {
    let isBehind = false;
    for (const region of call.regions) {
      if (remainingMs(call, clock) === 0) break;
      const answer = await client.readManifest(region, held?.etag, call);
      if (answer.kind === 'failed') {
        if (isRegionDown(answer.failure)) call.failedRegions.add(region.name);
        continue;
      }
      const checkedAtMs = clock.now();
      if (answer.value.kind === 'unchanged') {
        if (held !== undefined) held = { ...held, checkedAtMs, seenAtMs: checkedAtMs };
        return 'current';
      }
      const taken = take({ json: answer.value.json, etag: answer.value.etag, checkedAtMs });
      if (taken === 'taken') return 'current';
      if (taken === 'older') isBehind = true;
    }
    if (!isBehind || held === undefined) return 'failed';
    held = { ...held, checkedAtMs: clock.now() };
    return 'lagging';
  }

  function take(stored: StoredManifest): 'taken' | 'older' | 'invalid' {
    try {
      const manifest = parseManifest(stored.json);
      // A store that was restored counts from a lower version: what no region has known for the whole time is let go of in the end.
      const isKnown = (known: Held): boolean => clock.now() - known.seenAtMs < KEEP_MS;
      if (held !== undefined && manifest.version < held.manifest.version && isKnown(held)) return 'older';
      held = { ...stored, manifest, seenAtMs: stored.checkedAtMs };
      return 'taken';
    } catch (error) {
      log.error('manifest_invalid', { message: error instanceof Error ? error.message : String(error) });
      return 'invalid';
    }
  }

  const getFresh = (): LiveManifest | undefined => (held !== undefined && ageMs() < FRESH_MS ? held : undefined);

  async function waitFor(call: Call): Promise<LiveManifest> {
    const failing = sinceFailureMs() < FAILING_MS;
    const mayWait = !(held !== undefined && (ageMs() < STALE_MS || (failing && ageMs() < KEEP_MS)));
    if (sinceFailureMs() >= RETRY_AFTER_MS) {
      const { done, failedRegions } = joinRefresh(call);
      if (mayWait) {
        await withTimeout(clock, remainingMs(call, clock), () => done).catch(() => {});
        // What this request has waited for once it does not wait for again, whichever request asked. But when all failed, the manifest may
        // be what is wrong, and one of them may still have the list.
        const isAll = failedRegions.size === call.regions.length;
        for (const name of isAll ? [] : failedRegions) call.failedRegions.add(name);
      }
    }
    if (held !== undefined && ageMs() < KEEP_MS) return held;
    throw new EarshotError('unavailable', 'edge', 'no origin gave a manifest and none is kept');
  }

  return {
    peek: () => held?.manifest,
    getFresh,
    get: async (call) => getFresh() ?? waitFor(call),
  };
}
