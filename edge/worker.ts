// The worker's entry. It only wires. Long-lived objects are built at the isolate's first request, which brings `env`.
import { tracing } from 'cloudflare:workers';
import { type Answer, assemble } from './assemble.ts';
import { archiveExposures, type Bucket } from './exposures/archive.ts';
import { consoleLog } from './log.ts';

let answer: Answer | undefined;

export { RegionCache } from './region/region-cache.ts';

export default {
  fetch: (request, env: object, context) => {
    answer ??= assemble(env, tracing);
    return answer(request, env, context);
  },
  queue: ({ messages }, env: object) =>
    archiveExposures(messages, (env as { EXPOSURE_ARCHIVE?: Bucket }).EXPOSURE_ARCHIVE, consoleLog),
} satisfies ExportedHandler<object>;
