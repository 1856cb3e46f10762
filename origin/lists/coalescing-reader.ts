// Lists as the edge asks for them: from memory when that will do, else from the table, of one key one load for all who ask while it is under
// way. What is served from memory carries its age, and whoever asks may say how old it may be: after an erasure, or for a refresh, an
// answer from before will not do, and it is the asker who knows.

import { CallerCancelled, type Cancellation } from '../../shared/caching/cancellation.ts';
import { ABSENT_TTL_MS } from '../../shared/caching/lifetime.ts';
import { createSingleflight, FollowerTimeout, type Lead, type OwnLead } from '../../shared/caching/singleflight.ts';
import { erasedAtMs } from '../../shared/domain/erasure-fence.ts';
import { makeCacheKey } from '../../shared/domain/keys.ts';
import type { ListValue } from '../../shared/domain/list.ts';
import type { Manifest } from '../../shared/domain/manifest.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Counters } from '../../shared/runtime/counters.ts';
import { EarshotError, type ErrorCode, toEarshotError } from '../../shared/wire/errors.ts';
import type { ListQuery } from '../../shared/wire/read-request.ts';
import type { ListResult } from '../../shared/wire/read-response.ts';
import type { Guard } from '../guard/guard.ts';
import type { HeldList, ListMemory } from './list-memory.ts';
import { isFailed, type Loaded, type LoadLists } from './load-lists.ts';

export interface ListReader {
  /**
   * One result per ask, in their order: the list alone, expanded or not. Never rejects: what failed is an `error` result. Once whoever asks has
   * gone, `cancellation`, nothing is done any more that nobody else waits for, and what is missing is an `error` result.
   */
  read(asks: readonly ListQuery[], timeoutMs: number, cancellation?: Cancellation): Promise<ListResult[]>;
  /** The same at once when memory has all of it, and nothing is to be expanded; undefined, and nothing counted, else. */
  readHeld(asks: readonly ListQuery[]): ListResult[] | undefined;
  /** Loads under way. */
  flights(): number;
}

export interface ListReaderOptions {
  readonly memory: ListMemory;
  /** What memory does not have. */
  readonly load: LoadLists;
  readonly guard: Guard;
  /** Whether what is asked needs room of this process. Default: all of it does. */
  readonly isGuarded?: (ask: ListQuery) => boolean;
  /** The newest one that this process knows. */
  readonly manifest: () => Manifest;
  readonly clock: Clock;
  readonly counters: Counters;
  /** From when on a load is not joined any more, in milliseconds: the most that a request may take. */
  readonly flightAgeMs: number;
}

/** Lists under a generation do not change; this bounds what it costs should one do so all the same. */
export const MAX_LIST_AGE_MS = 3_600_000;

interface Missing {
  readonly ask: ListQuery;
  readonly cacheKey: string;
  readonly index: number;
}

/** A request while what is missing of it is loaded. */
interface Reading {
  readonly results: ListResult[];
  readonly arrivedAtMs: number;
  readonly cancellation: Cancellation | undefined;
}

/** A key that leaves for the table. */
interface Leading extends Missing {
  readonly lead: OwnLead<Loaded>;
}

export function createListReader(options: ListReaderOptions): ListReader {
  const { memory, load, guard, isGuarded = () => true, manifest, clock, counters, flightAgeMs } = options;
  const flights = createSingleflight<Loaded>({ clock, ageTimeoutMs: flightAgeMs, isFailure: isFailed });

  /** Keys that somebody asks for room for, with why there was none; undefined once they are being loaded. */
  const entering = new Map<string, Promise<ErrorCode | undefined>>();

  function isServable({ value, storedAtMs }: HeldList, { user, surface, maxAgeMs }: ListQuery, nowMs: number): boolean {
    const ageMs = nowMs - storedAtMs;
    if (maxAgeMs !== undefined && ageMs > maxAgeMs) return false;
    const { surfaces } = manifest();
    const ttlSeconds = Object.hasOwn(surfaces, surface) ? surfaces[surface]?.listTtlSeconds : undefined;
    const ttlMs = Math.min(MAX_LIST_AGE_MS, (ttlSeconds ?? 0) * 1000);
    if (ageMs >= (value.kind === 'absent' ? Math.min(ABSENT_TTL_MS, ttlMs) : ttlMs)) return false;
    return storedAtMs >= erasedAtMs(manifest(), user);
  }

  /** Those that somebody waits for, and the others, ask for room each for themselves, and before anything else is done for them: what is refused must cost little. */
  async function loadMissing(missing: readonly Missing[], reading: Reading, timeoutMs: number): Promise<ListResult[]> {
    const foreground = missing.filter(({ ask }) => !ask.isBackground);
    const background = foreground.length === missing.length ? [] : missing.filter(({ ask }) => ask.isBackground);
    await Promise.all([
      loadWhenRoom(foreground, false, reading, timeoutMs),
      loadWhenRoom(background, true, reading, timeoutMs),
    ]);
    return reading.results;
  }

  async function loadWhenRoom(
    missing: readonly Missing[],
    isBackground: boolean,
    reading: Reading,
    timeoutMs: number,
  ): Promise<void> {
    const { results, arrivedAtMs, cancellation } = reading;
    // What is being loaded already, or will be as soon as there is room for it, costs nothing more.
    const needing = missing.filter(
      ({ ask, cacheKey }) => isGuarded(ask) && !flights.has(cacheKey, notBeforeOf(ask, arrivedAtMs)),
    );
    const own = needing.filter(({ cacheKey }) => !entering.has(cacheKey));
    if (needing.length === 0) return loadTogether(missing, reading, timeoutMs);
    if (own.length === 0) return loadBehind(missing, needing, isBackground, reading, timeoutMs);

    let endEntrance = (_refusal?: ErrorCode): void => {};
    const onWait = (): void => {
      // Nobody who is waited for goes behind one who is not, and shed first.
      if (!isBackground) endEntrance = enter(own);
    };
    try {
      await guard({ isBackground, weight: own.length, timeoutMs, cancellation, onWait }, async (leftMs) => {
        const loading = loadTogether(missing, reading, leftMs);
        endEntrance();
        await loading;
        const failure = missing.map(({ index }) => results[index]).find((result) => result?.kind === 'error');
        // So that the guard does not take a failure that came at once for a quick read, nor a read that was let go of for a slow one.
        const code = cancellation?.isCancelled() ? 'unavailable' : failure?.kind === 'error' ? failure.code : undefined;
        if (code !== undefined) throw new EarshotError(code, 'table', 'a list could not be read');
      });
    } catch (error) {
      if (error instanceof CallerCancelled) counters.add('origin_cancelled_keys_total', own.length);
      const { code } = toEarshotError(error, 'origin');
      endEntrance(code);
      for (const { index } of missing) results[index] ??= { kind: 'error', code };
    }
  }

  /** Others who ask for these keys wait until it is told what became of it. What is let in or refused at once, most of an overload, is not worth that. */
  function enter(own: readonly Missing[]): (refusal?: ErrorCode) => void {
    const { promise: entrance, resolve } = Promise.withResolvers<ErrorCode | undefined>();
    for (const { cacheKey } of own) entering.set(cacheKey, entrance);
    return (refusal) => {
      for (const { cacheKey } of own) if (entering.get(cacheKey) === entrance) entering.delete(cacheKey);
      resolve(refusal);
    };
  }

  /** A crowd that asks for one key in the queue waits for the first of it: let in, all join its load; refused, all are. */
  async function loadBehind(
    missing: readonly Missing[],
    needing: readonly Missing[],
    isBackground: boolean,
    reading: Reading,
    timeoutMs: number,
  ): Promise<void> {
    const { results } = reading;
    const startedAtMs = clock.monotonicNow();
    const refusals = await Promise.all(needing.map(({ cacheKey }) => entering.get(cacheKey)));
    const leftMs = timeoutMs - (clock.monotonicNow() - startedAtMs);
    for (const [i, { index }] of needing.entries()) {
      if (leftMs <= 0) results[index] = { kind: 'error', code: 'deadline_exceeded' };
      else if (refusals[i] === 'overloaded') results[index] = { kind: 'error', code: 'overloaded' };
    }
    const rest = missing.filter(({ index }) => results[index] === undefined);
    if (rest.length > 0) await loadWhenRoom(rest, isBackground, reading, Math.max(1, leftMs));
  }

  /** What nobody is loading leaves in one call. */
  async function loadTogether(missing: readonly Missing[], reading: Reading, timeoutMs: number): Promise<void> {
    const leading: Leading[] = [];
    const following: Promise<void>[] = [];
    for (const each of missing) {
      const lead = flights.lead(each.cacheKey, notBeforeOf(each.ask, reading.arrivedAtMs));
      if (lead === undefined) following.push(follow(each, reading, timeoutMs));
      else leading.push({ ...each, lead });
    }
    if (leading.length > 0) await loadLeading(leading, reading, timeoutMs);
    if (following.length > 0) await Promise.all(following);
  }

  async function loadLeading(
    leading: readonly Leading[],
    { results, arrivedAtMs, cancellation }: Reading,
    timeoutMs: number,
  ): Promise<void> {
    const forget = cancellation?.onCancel(() => {
      for (const { lead } of leading) lead.abandon();
    });
    const loaded = await loadFor(leading, arrivedAtMs, timeoutMs);
    forget?.();
    for (const [i, { cacheKey, index, lead }] of leading.entries()) {
      const each = loaded[i] ?? INTERNAL;
      store(cacheKey, each, lead);
      lead.resolve(each);
      results[index] = toResult(each, arrivedAtMs);
    }
  }

  /** One key that another loads. When that brings nothing, or what will not do, it is loaded here, or by another who waits. */
  async function follow(
    { ask, cacheKey, index }: Missing,
    { results, arrivedAtMs, cancellation }: Reading,
    timeoutMs: number,
  ): Promise<void> {
    try {
      const { value, isCollapsed } = await flights.run(cacheKey, {
        load: async (lead) => {
          const [loaded = INTERNAL] = await loadFor([{ ask, lead }], arrivedAtMs, timeoutMs);
          store(cacheKey, loaded, lead);
          return loaded;
        },
        waitTimeoutMs: timeoutMs,
        notBeforeMs: notBeforeOf(ask, arrivedAtMs),
        // What another process had in memory may be older than the load that brought it.
        accepts: (loaded) => isFailed(loaded) || loaded.storedAtMs >= notBeforeOf(ask, arrivedAtMs),
        keepAlive: () => {},
        cancellation,
      });
      if (isCollapsed) counters.add('origin_collapsed_total');
      results[index] = toResult(value, arrivedAtMs);
    } catch (error) {
      results[index] = { kind: 'error', code: hasLeft(error) ? 'deadline_exceeded' : 'internal' };
    }
  }

  /** One outcome per key, which is given up when its lead is gone. Never rejects. */
  function loadFor(
    keys: readonly { readonly ask: ListQuery; readonly lead: Lead }[],
    arrivedAtMs: number,
    timeoutMs: number,
  ): Promise<readonly Loaded[]> {
    for (const { lead } of keys) lead.onCancel(countCancelled);
    const asks = keys.map(({ ask }) => withMaxAge(ask, arrivedAtMs));
    return load(
      asks,
      timeoutMs,
      keys.map(({ lead }) => lead),
    );
  }

  const countCancelled = (): void => counters.add('origin_cancelled_keys_total');

  function store(cacheKey: string, loaded: Loaded, lead: Lead): void {
    if (!isFailed(loaded) && lead.isCurrent()) memory.set(cacheKey, loaded);
  }

  /** As it is asked of whoever may have it in memory: what this process knows of erasures, the other may not know yet. */
  function withMaxAge(ask: ListQuery, arrivedAtMs: number): ListQuery {
    const notBeforeMs = notBeforeOf(ask, arrivedAtMs);
    return notBeforeMs === 0 ? ask : { ...ask, maxAgeMs: Math.max(0, arrivedAtMs - notBeforeMs) };
  }

  /** A load that began before the user was erased may have read what is gone now. */
  const notBeforeOf = ({ maxAgeMs = Number.POSITIVE_INFINITY, user }: ListQuery, arrivedAtMs: number): number =>
    Math.max(0, arrivedAtMs - maxAgeMs, erasedAtMs(manifest(), user));

  return {
    readHeld: (asks) => {
      const nowMs = clock.now();
      const results: ListResult[] = [];
      for (const ask of asks) {
        if (ask.expand !== undefined) return undefined;
        const held = memory.get(makeCacheKey(ask));
        if (held === undefined || !isServable(held, ask, nowMs)) return undefined;
        results.push(toResult(held, nowMs));
      }
      counters.add('origin_memory_hits_total', asks.length);
      return results;
    },
    read: async (asks, timeoutMs, cancellation) => {
      const nowMs = clock.now();
      const results: ListResult[] = new Array(asks.length);
      const missing: Missing[] = [];
      for (const [index, ask] of asks.entries()) {
        const cacheKey = makeCacheKey(ask.expand === undefined ? ask : { ...ask, expand: undefined });
        const held = memory.get(cacheKey);
        if (held !== undefined && isServable(held, ask, nowMs)) results[index] = toResult(held, nowMs);
        else missing.push({ ask, cacheKey, index });
      }
      counters.add('origin_memory_hits_total', asks.length - missing.length);
      return missing.length === 0
        ? results
        : loadMissing(missing, { results, arrivedAtMs: nowMs, cancellation }, timeoutMs);
    },
    flights: () => flights.size(),
  };
}

const INTERNAL = { kind: 'error', code: 'internal' } as const;

const hasLeft = (error: unknown): boolean => error instanceof FollowerTimeout || error instanceof CallerCancelled;

/** Ages count from the arrival of the request: what was read for it, or after it came, has none. */
function toResult(loaded: Loaded, arrivedAtMs: number): ListResult {
  if (isFailed(loaded)) return loaded;
  const ageMs = arrivedAtMs - loaded.storedAtMs;
  return ageMs > 0 ? withAge(loaded.value, ageMs) : loaded.value;
}

const withAge = (value: ListValue, ageMs: number): ListResult =>
  value.kind === 'absent'
    ? { kind: 'absent', ageMs }
    : { kind: 'list', bytes: value.bytes, generation: value.generation, digest: value.digest, ageMs };
