// One list by GET. What the isolate has fresh, manifest and list, is answered at once; nearly all requests are such, and cost half as much as one
// that waits. Everything else, debugging included, takes the whole way.
import type { Context } from 'hono';
import { DEFAULT_LIMIT } from '../../shared/domain/list.ts';
import { DEV_LOCATION_HEADER, type Region } from '../../shared/domain/regions.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import type { EdgeDeps } from '../deps.ts';
import { checkAccess } from '../identity/access.ts';
import { type Caller, openCall } from '../identity/caller.ts';
import type { LiveManifest } from '../manifest/store.ts';
import type { Read, Served } from '../reads/serve-reads.ts';
import { respondWithList } from '../respond/list.ts';

export interface ReadOptions {
  readonly debug: boolean;
  readonly limit?: number | undefined;
  readonly fallback?: 'popular' | 'none' | undefined;
  readonly variant?: string | undefined;
  readonly expand?: Read['expand'];
}

/** Throws, or rejects with, an AccessError, `invalid_request`, or what serveReads and the manifest store give instead of a list. */
export function answerRead(
  deps: EdgeDeps,
  c: Context,
  caller: Caller,
  user: string,
  surface: string,
  options: ReadOptions,
): Response | Promise<Response> {
  const { config, clock, manifests, serveHeld } = deps;
  const { limit = DEFAULT_LIMIT, fallback = 'popular', variant, expand, debug } = options;
  const { timings } = caller;
  const read = { user, surface, fallback, variant, expand };
  checkAccess(caller.identity, [read], debug);
  const respond = (served: Served, live: LiveManifest, regions: readonly Region[]): Response =>
    respondWithList({
      read,
      served,
      live,
      limit,
      ifNoneMatch: c.req.header('if-none-match'),
      deviceMaxAgeSeconds: config.deviceMaxAgeSeconds,
      nowMs: clock.now(),
      debug,
      timings,
      regions,
    });

  const needsPlace = debug || c.req.header(DEV_LOCATION_HEADER) !== undefined;
  const fresh = needsPlace ? undefined : manifests.getFresh();
  const held = fresh && serveHeld(read, fresh.manifest, () => openCall(deps, c, caller));
  if (fresh === undefined || held === undefined) return waitForRead(deps, c, caller, read, respond);
  timings.note('manifest');
  return respond(held, fresh, config.regions);
}

async function waitForRead(
  deps: EdgeDeps,
  c: Context,
  caller: Caller,
  read: Read,
  respond: (served: Served, live: LiveManifest, regions: readonly Region[]) => Response,
): Promise<Response> {
  const call = openCall(deps, c, caller);
  const live = await call.timings.time('manifest', () => deps.manifests.get(call));
  const [served] = await deps.serveReads([read], live.manifest, call);
  if (served === undefined) throw new Error('expected an outcome for every read; ladder.ts sees to it');
  if (served instanceof EarshotError) throw served;
  return respond(served, live, call.regions);
}
