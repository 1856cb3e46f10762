// The origins of all regions as `fetch`: a request is under way, is read from the table at one moment, and is under way back. Each may be out
// of order in one of the ways in which origins are.
import { type ListKey, makeCacheKey } from '../../../../shared/keys.ts';
import { encodeListFrames, type ListResult } from '../../../../shared/list-frames.ts';
import { MANIFEST_PATH } from '../../../../shared/lists-read.ts';
import type { Chance } from './chance.ts';
import type { Cloud } from './cloud.ts';
import { PlainResponse } from './plain-platform.ts';
import type { Timeline } from './timeline.ts';

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

/** `drops`: errors for some keys of each read. `denies`: a status that is not the region's fault. `hangs-on`: deaf to being called off. */
export type OriginTrouble = (typeof TROUBLES)[number];

export interface OriginState {
  readonly name: string;
  readonly url: string;
  trouble: OriginTrouble | undefined;
  /** Whether manifests fare no better than lists. */
  isManifestHit: boolean;
}

/** Told of each read of lists, so that loads can be counted. */
export interface Watcher {
  begin(owner: string, region: string, keys: readonly ListKey[]): void;
  end(owner: string, region: string, keys: readonly ListKey[]): void;
}

interface OriginsOptions {
  readonly cloud: Cloud;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly states: readonly OriginState[];
  /** The most that a way takes, in milliseconds, there or back. */
  readonly legMs: number;
  readonly watcher: Watcher;
}

/** Longer than any timeout. */
const SLOW_MS = 3_000;

export type OwnedFetch = (url: string, init: RequestInit) => Promise<Response>;

export function createOrigins({ cloud, timeline, chance, states, legMs, watcher }: OriginsOptions) {
  function answerManifest(region: number, init: RequestInit): PlainResponse {
    const { manifest, json } = cloud.manifestAt(region, timeline.clock.now());
    const etag = `"${manifest.version}"`;
    const known = (init.headers as unknown as { get(name: string): string | null }).get('if-none-match');
    if (known === etag) return new PlainResponse(null, { status: 304, headers: { etag } });
    return new PlainResponse(json, { headers: { etag } });
  }

  function answerLists(region: string, keys: readonly ListKey[], trouble: OriginTrouble | undefined): PlainResponse {
    const nowMs = timeline.clock.now();
    const readOne = (key: ListKey): ListResult => {
      if (trouble === 'table-down') return { kind: 'error', code: 'unavailable' };
      if (trouble === 'drops' && chance.is(0.5))
        return { kind: 'error', code: chance.is(0.5) ? 'internal' : 'unavailable' };
      return cloud.readTable(key, region, nowMs);
    };
    const bytes = encodeListFrames(keys.map(readOne));
    return new PlainResponse(trouble === 'cuts' ? bytes.subarray(0, -1) : bytes);
  }

  /** `fetch` as `owner` calls it. */
  return (owner: string): OwnedFetch =>
    (url, init) => {
      const at = states.findIndex((state) => url.startsWith(state.url));
      const state = states[at] as OriginState;
      const isManifest = url.endsWith(MANIFEST_PATH);
      const keys = isManifest ? [] : (JSON.parse(init.body as string) as { keys: ListKey[] }).keys;
      const trouble = isManifest && !state.isManifestHit ? undefined : state.trouble;
      const wayMs = trouble === 'slow' ? SLOW_MS : legMs;
      const what = (): string =>
        `${state.name} ${isManifest ? 'manifest' : keys.map(makeCacheKey).join(' ')} for ${owner}`;
      if (!isManifest) watcher.begin(owner, state.name, keys);
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
          signal.addEventListener('abort', () => end(() => reject(signal.reason)));
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
            else giveBack(isManifest ? answerManifest(at, init) : answerLists(state.name, keys, trouble));
          },
        );
      }) as unknown as Promise<Response>;
    };
}
