// The origins of all regions as `fetch`. A request travels, is answered at one moment from the table or the origin's
// memory, and travels back. Each origin may have a fault or be overloaded.
import { type ListKey, makeCacheKey } from '../../shared/domain/keys.ts';
import type { ListValue } from '../../shared/domain/list.ts';
import { type ListQuery, MANIFEST_PATH } from '../../shared/wire/read-request.ts';
import { type AgedValue, encodeListFrames, type ListResult } from '../../shared/wire/read-response.ts';
import type { Chance } from '../support/chance.ts';
import type { Cloud } from './cloud.ts';
import { PlainResponse } from './platform/plain-platform.ts';
import type { Timeline } from './platform/timeline.ts';
import type { Setting } from './setting.ts';

export const TROUBLES = [
  'refuses',
  'fails',
  'denies',
  'hangs',
  'hangs-on',
  'slow',
  'cuts',
  'table-down',
  'drops',
] as const;

/**
 * `drops`: errors for some keys of each read. `denies`: a status that is not the region's fault. `hangs-on`: ignores
 * cancellation.
 */
export type OriginTrouble = (typeof TROUBLES)[number];

export interface OriginState {
  readonly name: string;
  readonly url: string;
  trouble: OriginTrouble | undefined;
  /** Whether manifests get the same fault as lists. */
  isManifestHit: boolean;
  /** Whether it sheds background reads. */
  isShedding: boolean;
}

/** Called for each read of lists, to count loads. */
export interface Watcher {
  begin(owner: string, region: string, keys: readonly ListKey[]): void;
  end(owner: string, region: string, keys: readonly ListKey[]): void;
  /** The caller has cancelled and may have to read again. */
  cancel(owner: string, region: string, keys: readonly ListKey[]): void;
  /** The read that began at `begunAtMs` gets the value that was read from the table at `readAtMs`. */
  remember(owner: string, region: string, key: ListKey, begunAtMs: number, readAtMs: number): void;
}

/** The cached value of one key. */
interface Kept {
  readonly value: ListValue;
  readonly readAtMs: number;
  readonly itemsReadAtMs: number;
}

interface OriginsOptions {
  readonly setting: Setting;
  readonly cloud: Cloud;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly states: readonly OriginState[];
  readonly watcher: Watcher;
}

/** Longer than any timeout. */
const SLOW_MS = 3_000;
/** Lifetime of a cached absence. */
const ABSENT_MS = 30_000;
/** Lifetime of cached item metadata, and its maximum age at the read of its list. */
const ITEMS_MS = 300_000;
const MAX_ITEMS_AGE_MS = 120_000;

export type OwnedFetch = (url: string, init: RequestInit) => Promise<Response>;

export function createOrigins({ setting, cloud, timeline, chance, states, watcher }: OriginsOptions) {
  const { legMs, originMemoryMs, manifest: first } = setting;
  const memories = states.map(() => new Map<string, Kept>());

  function answerManifest(region: number, init: RequestInit): PlainResponse {
    const { manifest, json } = cloud.manifestAt(region, timeline.clock.now());
    const etag = `"${manifest.version}"`;
    const known = (init.headers as unknown as { get(name: string): string | null }).get('if-none-match');
    if (known === etag) return new PlainResponse(null, { status: 304, headers: { etag } });
    return new PlainResponse(json, { headers: { etag } });
  }

  /**
   * The origin's cached value of `key`. Undefined if it is too old for the origin or the caller, or if the origin's
   * manifest has a later erasure of the user.
   */
  function recall(region: number, key: ListQuery, nowMs: number): Kept | undefined {
    const kept = memories[region]?.get(makeCacheKey(key));
    if (kept === undefined) return undefined;
    const ttlMs = (first.surfaces[key.surface]?.listTtlSeconds ?? 0) * 1000;
    const keptForMs = Math.min(originMemoryMs, kept.value.kind === 'absent' ? Math.min(ttlMs, ABSENT_MS) : ttlMs);
    const ageMs = nowMs - kept.readAtMs;
    if (key.expand !== undefined && nowMs - kept.itemsReadAtMs >= ITEMS_MS) return undefined;
    if (ageMs >= keptForMs || ageMs > (key.maxAgeMs ?? Number.POSITIVE_INFINITY)) return undefined;
    const { version } = cloud.manifestAt(region, nowMs).manifest;
    const isErased = cloud.erasures.some(
      (erasure) => erasure.user === key.user && erasure.version <= version && kept.readAtMs < erasure.atMs,
    );
    return isErased ? undefined : kept;
  }

  function readTable(region: number, key: ListQuery, nowMs: number): Kept {
    const itemsReadAtMs = originMemoryMs > 0 && chance.is(0.5) ? nowMs - chance.below(MAX_ITEMS_AGE_MS) : nowMs;
    const value = cloud.readTable(key, (states[region] as OriginState).name, nowMs, itemsReadAtMs);
    const kept = { value, readAtMs: nowMs, itemsReadAtMs };
    if (originMemoryMs > 0) memories[region]?.set(makeCacheKey(key), kept);
    return kept;
  }

  function tell({ value, readAtMs, itemsReadAtMs }: Kept, { expand }: ListQuery, nowMs: number): AgedValue {
    const itemsAgeMs = expand === undefined ? 0 : nowMs - itemsReadAtMs;
    return { ...value, ageMs: nowMs - readAtMs, itemsAgeMs };
  }

  function answerLists(
    owner: string,
    region: number,
    keys: readonly ListQuery[],
    begunAtMs: number,
    trouble: OriginTrouble | undefined,
    isCancelled: boolean,
  ): PlainResponse {
    const nowMs = timeline.clock.now();
    const isShedding = states[region]?.isShedding === true;
    const readOne = (key: ListQuery): ListResult => {
      if (isShedding && key.isBackground === true) return { kind: 'error', code: 'overloaded' };
      if (trouble === 'drops' && chance.is(0.5))
        return { kind: 'error', code: chance.is(0.5) ? 'internal' : 'unavailable' };
      const recalled = recall(region, key, nowMs);
      if (recalled === undefined && trouble === 'table-down') return { kind: 'error', code: 'unavailable' };
      const kept = recalled ?? readTable(region, key, nowMs);
      if (kept.readAtMs < nowMs && !isCancelled)
        watcher.remember(owner, (states[region] as OriginState).name, key, begunAtMs, kept.readAtMs);
      return tell(kept, key, nowMs);
    };
    if (isShedding && chance.is(0.5) && keys.every(({ isBackground }) => isBackground === true))
      return new PlainResponse('{}', { status: 503 });
    const bytes = encodeListFrames(keys.map(readOne));
    return new PlainResponse(trouble === 'cuts' ? bytes.subarray(0, -1) : bytes);
  }

  /** `fetch` as called by `owner`. */
  return (owner: string): OwnedFetch =>
    (url, init) => {
      const at = states.findIndex((state) => url.startsWith(state.url));
      const state = states[at] as OriginState;
      const isManifest = url.endsWith(MANIFEST_PATH);
      const keys = isManifest ? [] : (JSON.parse(init.body as string) as { keys: ListQuery[] }).keys;
      const trouble = isManifest && !state.isManifestHit ? undefined : state.trouble;
      const wayMs = trouble === 'slow' ? SLOW_MS : legMs;
      const what = (): string =>
        `${state.name} ${isManifest ? 'manifest' : keys.map(makeCacheKey).join(' ')} for ${owner}`;
      if (!isManifest) watcher.begin(owner, state.name, keys);
      const begunAtMs = timeline.clock.now();
      let isOver = false;

      return new Promise<PlainResponse>((resolve, reject) => {
        const end = (settle: () => void): void => {
          if (isOver) return;
          isOver = true;
          if (!isManifest) watcher.end(owner, state.name, keys);
          settle();
        };
        if (trouble !== 'hangs-on') {
          const signal = init.signal as AbortSignal;
          signal.addEventListener('abort', () => {
            if (!isManifest && !isOver) watcher.cancel(owner, state.name, keys);
            end(() => reject(signal.reason));
          });
        }
        if (trouble === 'hangs' || trouble === 'hangs-on') return;
        const fail = (why: string) => () => end(() => reject(new TypeError(why)));
        const giveBack = (response: PlainResponse): void => {
          const back = (): void => end(() => resolve(response));
          if (chance.is(0.5)) timeline.deliver(() => `answered: ${what()}`, wayMs, back);
          else back();
        };
        timeline.deliver(
          () => `reached (${trouble ?? 'up'}): ${what()}`,
          wayMs,
          () => {
            if (trouble === 'refuses') fail('connection refused')();
            else if (trouble === 'fails') giveBack(new PlainResponse('{}', { status: 503 }));
            else if (trouble === 'denies') giveBack(new PlainResponse('{}', { status: 401 }));
            else if (isManifest) giveBack(answerManifest(at, init));
            else giveBack(answerLists(owner, at, keys, begunAtMs, trouble, isOver));
          },
        );
      }) as unknown as Promise<Response>;
    };
}
