// From the environment to what answers requests: the one place where the worker meets its platform.
import { systemClock } from '../shared/runtime/clock.ts';
import { systemRandom } from '../shared/runtime/random.ts';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';
import { answerNotConfigured } from './configuration-problem.ts';
import { createDeps } from './deps.ts';
import { consoleLog } from './log.ts';
import { isolateCounters } from './platform.ts';
import type { RegionCache } from './region/region-cache.ts';
import type { FindObject } from './region/region-objects.ts';

export type Answer = (request: Request, env: object, context: ExecutionContext) => Response | Promise<Response>;

/** The app. With a configuration that is not valid it is a function that answers every request with a 503. */
export function assemble(env: object, keyOrigin: string): Answer {
  try {
    const app = createApp(
      createDeps(readConfig(env), {
        clock: systemClock,
        random: systemRandom,
        counters: isolateCounters,
        log: consoleLog,
        fetch: (url, init) => fetch(url, init),
        openCache: () => caches.open('earshot'),
        keyOrigin,
        findObject: findObjectIn(env),
      }),
    );
    return app.fetch;
  } catch (thrown) {
    return answerNotConfigured(thrown, consoleLog);
  }
}

function findObjectIn(env: object): FindObject | undefined {
  const { REGION_CACHE: namespace } = env as { REGION_CACHE?: DurableObjectNamespace<RegionCache> };
  if (namespace === undefined) return undefined;
  return (name, locationHint) => namespace.getByName(name, { locationHint });
}
