// The live manifest in one isolate: fresh for 5 s, served stale while one refresh runs up to 10 s, awaited beyond that,
// and kept for 24 h while no origin confirms it. The version never goes back: the store ignores the older manifest of a
// lagging region.
import type { LiveManifest } from '../../shared/domain/effects/documents.ts';
import { type Manifest, parseManifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import type { ManifestStatus } from '../../shared/wire/edge-status.ts';
import type { Log } from '../log.ts';
import type { RegionLookup } from '../reads/trail.ts';
import { type Call, detach, remainingMs } from '../request/call.ts';
import { describeRequest } from '../request/request-id.ts';
import { withTimeout } from '../request/with-timeout.ts';
import { isRegionDown, type ManifestAnswer, type OriginAnswer, type OriginClient } from '../upstream/origin-client.ts';
import type { ManifestCache, StoredManifest } from './colo-cache.ts';
import { createDocuments, describeEffects } from './documents.ts';
import { ManifestError, type ManifestTrail } from './manifest-error.ts';

const FRESH_MS = 5_000;
const STALE_MS = 10_000;
/** Maximum age of a manifest that no region confirms. */
export const KEEP_MS = 86_400_000;
/** Pause after a failed refresh. */
const RETRY_AFTER_MS = 1_000;
/** For this long after a failure, requests do not wait for a refresh: cache hits stay fast while origins are down. */
const FAILING_MS = 10_000;
/** A refresh older than this has lost the request that carried it, so another may start. */
const REFRESH_AGE_TIMEOUT_MS = 15_000;

export interface ManifestStore {
  /** The live manifest, if a region confirmed it within the last 5 s. */
  getFresh(): LiveManifest | undefined;
  /**
   * The live manifest. Throws a ManifestError without one. Regions that failed the refresh count as failed for `call`.
   */
  get(call: Call): Promise<LiveManifest>;
  /** The current manifest of whatever age. */
  peek(): LiveManifest | undefined;
  status(): ManifestStatus;
}

interface ManifestStoreOptions {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly client: OriginClient;
  readonly cache: ManifestCache;
  /** Maximum duration of a refresh. It does not depend on the request that starts it, whose deadline may be short. */
  readonly refreshTimeoutMs: number;
}

interface Current extends StoredManifest {
  readonly manifest: LiveManifest;
  /** When a region last had this version. */
  readonly seenAtMs: number;
}

interface Refresh {
  readonly done: Promise<void>;
  readonly startedAtMs: number;
  /** Regions that failed so far. */
  readonly failedRegions: ReadonlySet<string>;
  /** Regions that were asked so far, with the outcome of each. */
  readonly lookups: readonly RegionLookup[];
}

/** `current`: a region sent or confirmed the current manifest. `lagging`: every region that answered is behind it. */
type RefreshOutcome = 'current' | 'lagging' | 'failed';

export function createManifestStore(options: ManifestStoreOptions): ManifestStore {
  const { clock, counters, log, client, cache, refreshTimeoutMs } = options;
  const documents = createDocuments({ clock, client, cache });
  let current: Current | undefined;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let refresh: Refresh | undefined;
  /** Regions that the last refresh asked. */
  let lastLookups: readonly RegionLookup[] = [];

  const ageMs = (): number => (current === undefined ? Number.POSITIVE_INFINITY : clock.now() - current.checkedAtMs);
  const sinceFailureMs = (): number => clock.now() - failedAtMs;
  const getFresh = (): LiveManifest | undefined =>
    current !== undefined && ageMs() < FRESH_MS ? current.manifest : undefined;

  /** A restored table counts from a lower version. A version that no region confirmed for KEEP_MS gives way. */
  const isOlder = ({ version }: Manifest): boolean =>
    current !== undefined && version < current.manifest.version && clock.now() - current.seenAtMs < KEEP_MS;

  /** Replaces the current manifest and its documents, unless `stored` is invalid or older. */
  async function applyManifest(stored: StoredManifest, call: Call): Promise<'applied' | 'older' | 'invalid'> {
    const manifest = parse(stored);
    if (manifest === undefined) return 'invalid';
    if (isOlder(manifest)) return 'older';
    try {
      const live = await documents.hold(manifest, call);
      // A refresh that has lost its request may end beside this one.
      if (isOlder(manifest)) return 'older';
      current = { ...stored, manifest: live, seenAtMs: stored.checkedAtMs };
      return 'applied';
    } catch (error) {
      counters.add('edge_documents_refused_total');
      log.error('documents_refused', { version: manifest.version, message: (error as Error).message });
      return 'invalid';
    }
  }

  function parse({ json }: StoredManifest): Manifest | undefined {
    try {
      return parseManifest(json);
    } catch (error) {
      counters.add('edge_manifests_refused_total');
      log.error('manifest_invalid', { message: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }

  async function readRegions(call: Call, lookups: RegionLookup[]): Promise<RefreshOutcome> {
    let isBehind = false;
    for (const region of call.regions) {
      if (remainingMs(call, clock) === 0) break;
      const answer = await client.readManifest(region, current?.etag, shareDeadline(call, lookups.length, clock));
      lookups.push({ region: region.name, origin: originOf(answer) });
      if (answer.kind === 'failed') {
        if (isRegionDown(answer.failure)) call.failedRegions.add(region.name);
        continue;
      }
      const checkedAtMs = clock.now();
      if (answer.value.kind === 'unchanged') {
        if (current !== undefined) current = { ...current, checkedAtMs, seenAtMs: checkedAtMs };
        return 'current';
      }
      const applied = await applyManifest({ json: answer.value.json, etag: answer.value.etag, checkedAtMs }, call);
      if (applied === 'applied') return 'current';
      if (applied === 'older') isBehind = true;
    }
    if (!isBehind || current === undefined) return 'failed';
    current = { ...current, checkedAtMs: clock.now() };
    return 'lagging';
  }

  async function runRefresh(call: Call, lookups: RegionLookup[]): Promise<void> {
    const stored = await cache.get();
    if (stored !== undefined && stored.checkedAtMs > (current?.checkedAtMs ?? Number.NEGATIVE_INFINITY))
      await applyManifest(stored, call);
    if (ageMs() < FRESH_MS) return;
    lastLookups = lookups;
    const outcome = await readRegions(call, lookups);
    if (outcome === 'failed') {
      failedAtMs = clock.now();
      counters.add('edge_manifest_failures_total');
      const about = describeRequest(call.requestId, call.traceparent);
      log.error('manifest_refresh_failed', { heldVersion: current?.manifest.version, ...about });
      return;
    }
    failedAtMs = Number.NEGATIVE_INFINITY;
    if (outcome === 'lagging') {
      counters.add('edge_manifests_behind_total');
      log.error('manifest_behind', { heldVersion: current?.manifest.version });
    }
    if (current !== undefined && outcome === 'current') call.waitUntil(cache.set(current));
  }

  /**
   * Joins the refresh in flight, or starts one. The request that starts it holds it with waitUntil, so it outlives that
   * request's client.
   */
  function joinRefresh(call: Call): Refresh {
    const startedAtMs = clock.now();
    if (refresh !== undefined && startedAtMs - refresh.startedAtMs < REFRESH_AGE_TIMEOUT_MS) return refresh;
    const failedRegions = new Set<string>();
    const lookups: RegionLookup[] = [];
    const own = { ...detach(call, clock, refreshTimeoutMs), failedRegions };
    const done = runRefresh(own, lookups).finally(() => {
      if (refresh?.done === done) refresh = undefined;
    });
    refresh = { done, startedAtMs, failedRegions, lookups };
    call.waitUntil(done);
    return refresh;
  }

  async function getRefreshed(call: Call): Promise<LiveManifest> {
    let trail: ManifestTrail = { regions: [], detail: 'backoff' };
    const isFailing = sinceFailureMs() < FAILING_MS;
    const mustWait = !(current !== undefined && (ageMs() < STALE_MS || (isFailing && ageMs() < KEEP_MS)));
    if (sinceFailureMs() >= RETRY_AFTER_MS) {
      const { done, failedRegions, lookups } = joinRefresh(call);
      if (mustWait) {
        const ended = await withTimeout(clock, remainingMs(call, clock), () => done.then(() => true)).catch(
          () => false,
        );
        trail = { regions: [...lookups], detail: ended ? 'failed' : 'timeout' };
        // The request does not wait again for a region that failed here. If all failed, the manifest itself may be the
        // fault, and a region may still return the list.
        const isAll = failedRegions.size === call.regions.length;
        for (const name of isAll ? [] : failedRegions) call.failedRegions.add(name);
      }
    }
    if (current !== undefined && ageMs() < KEEP_MS) return current.manifest;
    throw new ManifestError(trail);
  }

  function status(): ManifestStatus {
    const regions = lastLookups.map(({ region, origin }) => ({ name: region, answer: describeAnswer(origin) }));
    if (current === undefined && lastLookups.length === 0) return { state: 'unread', regions };
    if (current === undefined || ageMs() >= KEEP_MS) return { state: 'none', regions };
    const { version } = current.manifest;
    // Without requests no refresh runs: only a failed one makes an old manifest a doubtful one.
    const state = sinceFailureMs() < Number.POSITIVE_INFINITY ? 'unconfirmed' : 'live';
    const effects = describeEffects(current.manifest, clock.now());
    return { state, version, confirmedForMs: ageMs(), regions, effects };
  }

  return {
    peek: () => current?.manifest,
    getFresh,
    get: async (call) => getFresh() ?? getRefreshed(call),
    status,
  };
}

/** The call to the next region: an even share of the remaining time, so that a region that hangs leaves time. */
function shareDeadline(call: Call, asked: number, clock: Clock): Call {
  const nowMs = clock.now();
  const shareMs = Math.max(1, Math.floor((call.deadlineAtMs - nowMs) / (call.regions.length - asked)));
  return { ...call, deadlineAtMs: nowMs + shareMs };
}

function originOf(answer: OriginAnswer<ManifestAnswer>): NonNullable<RegionLookup['origin']> {
  if (answer.kind === 'answered') return { status: answer.value.kind === 'unchanged' ? 304 : 200 };
  const { status, reason } = answer.failure;
  return status === undefined ? { detail: reason } : { status };
}

const describeAnswer = ({ status, detail }: NonNullable<RegionLookup['origin']> = {}): string =>
  detail ?? `status ${status}`;
