// One isolate with the worker's own code and a scripted platform. It is called through the app, or directly behind the
// app at a much lower cost. The oracle checks every answer and every stored entry.

import { createReads } from '../../edge/assemble.ts';
import type { EdgeConfig } from '../../edge/config.ts';
import type { EdgeDeps } from '../../edge/deps.ts';
import type { Platform } from '../../edge/platform.ts';
import type { Read } from '../../edge/reads/fallback.ts';
import type { Served } from '../../edge/reads/serve-reads.ts';
import type { FindObject } from '../../edge/region/region-objects.ts';
import type { Call } from '../../edge/request/call.ts';
import { NOWHERE } from '../../edge/request/place.ts';
import { createTimings } from '../../edge/request/timings.ts';
import { neverTraced } from '../../edge/request/trace.ts';
import type { OriginClient } from '../../edge/upstream/origin-client.ts';
import { toName, toUserId } from '../../shared/domain/ids.ts';
import type { ListKey } from '../../shared/domain/keys.ts';
import type { Region } from '../../shared/domain/regions.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { createAppFront } from './app-front.ts';
import { type Asking, type Oracle, type Outcome, Violation } from './oracle.ts';

export interface Isolate {
  /** The judged outcomes of `reads`; undefined without a manifest. */
  ask(reads: readonly Read[]): Promise<readonly Outcome[] | undefined>;
  /** The newest manifest version that a read used. */
  version(): number;
}

interface IsolateOptions {
  readonly name: string;
  readonly config: EdgeConfig;
  readonly platform: Platform;
  readonly client: OriginClient;
  readonly cache: Cache;
  readonly keyOrigin: string;
  readonly find: FindObject;
  /** The region nearest to the next caller. */
  readonly drawNearest: () => Region;
  readonly isThroughApp: boolean;
  readonly oracle: Oracle;
  readonly guard: (judge: () => void) => void;
  readonly keep: (work: Promise<unknown>) => void;
  /** Called when a read goes to the colo cache or to an object. */
  readonly onDeparture: () => void;
}

export function createIsolate(options: IsolateOptions): Isolate {
  const { name, config, platform, client, keyOrigin, find, drawNearest, isThroughApp, oracle, guard, keep } = options;
  const { onDeparture } = options;
  const { clock } = platform;
  const cache = watch(options.cache, onDeparture, (key, storedAtMs) => {
    const manifest = deps.manifests.peek();
    if (manifest !== undefined) guard(() => oracle.judgeStore(name, key, storedAtMs, manifest, clock.now()));
  });
  const deps: Pick<EdgeDeps, 'manifests' | 'objects' | 'serveReads' | 'serveCached' | 'routing' | 'shadow'> =
    createReads(
      config,
      {
        ...platform,
        openCache: async () => cache,
        keyOrigin,
        findObject: (object, hint) => {
          onDeparture();
          return find(object, hint);
        },
      },
      client,
    );
  const app = isThroughApp
    ? createAppFront({
        ...platform,
        ...deps,
        openTrace: neverTraced,
        reporter: { reportIfDue: () => {} },
        exposureTokens: undefined,
        exposures: undefined,
        archive: undefined,
        config,
        keep,
      })
    : undefined;
  let version = 0;

  function noteVersion(next: number, beganAtMs: number): void {
    guard(() => oracle.judgeManifest(name, next, beganAtMs));
    guard(() => {
      if (next < version) throw new Violation(`${name} went back to version ${next} from ${version}`);
    });
    version = Math.max(version, next);
  }

  async function askDirectly(reads: readonly Read[], beganAtMs: number, deadlineAtMs: number): Promise<Outcome[]> {
    const place = { ...NOWHERE, coordinates: drawNearest() };
    const call: Call = {
      deadlineAtMs,
      place,
      regions: deps.routing.regionsFor(place),
      failedRegions: new Set(),
      requestId: 'request-1',
      traceparent: undefined,
      timings: createTimings(clock),
      waitUntil: keep,
    };
    const fresh = deps.manifests.getFresh();
    const manifest = fresh ?? (await deps.manifests.get(call));
    const chosenAtMs = clock.now();
    noteVersion(manifest.version, beganAtMs);
    const [first] = reads;
    const held =
      reads.length === 1 && first && fresh
        ? deps.serveCached(
            first,
            manifest,
            () => undefined,
            () => call,
          )
        : undefined;
    const results = held === undefined ? await deps.serveReads(reads, manifest, call) : [held];
    const asking: Asking = { beganAtMs, deadlineAtMs, chosenAtMs, from: manifest.version, to: manifest.version };
    return reads.map((read, i) => {
      const outcome = toOutcome(results[i]);
      guard(() => oracle.judge(read, outcome, asking, clock.now()));
      return outcome;
    });
  }

  function askApp(reads: readonly Read[], beganAtMs: number, deadlineAtMs: number): Promise<Outcome[]> {
    const from = deps.manifests.peek()?.version ?? 0;
    return Promise.all(
      reads.map(async (read) => {
        const outcome = await (app as NonNullable<typeof app>)(read, drawNearest());
        const to = deps.manifests.peek()?.version ?? 0;
        version = Math.max(version, to);
        const asking: Asking = { beganAtMs, deadlineAtMs, chosenAtMs: beganAtMs, from, to };
        guard(() => oracle.judge(read, outcome, asking, clock.now()));
        return outcome;
      }),
    );
  }

  return {
    ask: async (reads) => {
      const beganAtMs = clock.now();
      const deadlineAtMs = beganAtMs + config.requestDeadlineMs;
      try {
        return await (app === undefined ? askDirectly : askApp)(reads, beganAtMs, deadlineAtMs);
      } catch (error) {
        guard(() => {
          oracle.judgeFailure(error);
          oracle.judgeTime(deadlineAtMs, clock.now());
        });
        return undefined;
      }
    },
    version: () => version,
  };
}

/** Wraps `cache` and reports its calls. An isolate stores an entry in its memory and in this cache at the same time. */
function watch(cache: Cache, onMatch: () => void, onPut: (key: ListKey, storedAtMs: number) => void): Cache {
  const watched = {
    match: (url: string) => {
      if (!url.endsWith('/manifest')) onMatch();
      return cache.match(url);
    },
    put: (url: string, response: Response) => {
      const key = response.headers.get('earshot-key');
      if (key !== null) onPut(splitKey(key), Number(response.headers.get('earshot-stored-at')));
      return cache.put(url, response);
    },
  };
  return watched as unknown as Cache;
}

function toOutcome(result: Served | EarshotError | undefined): Outcome {
  if (result === undefined) throw new Violation('a read has no outcome');
  if (result instanceof EarshotError) {
    const trails = 'trails' in result ? (result.trails as { key: ListKey }[]) : [];
    return { kind: 'error', code: result.code, own: trails[0]?.key };
  }
  const { list, own, source, fallbackReason } = result;
  return { kind: 'list', bytes: list.bytes, generation: list.generation, own, source, fallbackReason };
}

function splitKey(cacheKey: string): ListKey {
  const [surface = '', variant = '', generation = '', user = '', expand] = cacheKey.split('/');
  return {
    surface: toName(surface),
    variant: toName(variant),
    generation: Number(generation),
    user: toUserId(user),
    expand: expand as ListKey['expand'],
  };
}
