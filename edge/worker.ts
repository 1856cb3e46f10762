// The worker's entry: it wires and does nothing else. Long-lived objects are built at an isolate's first request, because only then is
// there an `env`, and a host for the keys of the data centre's cache.
import { type Answer, assemble } from './assemble.ts';

let answer: Answer | undefined;

export { RegionCache } from './region/region-cache.ts';

export default {
  fetch: (request, env: object, context) => {
    answer ??= assemble(env, new URL(request.url).origin);
    return answer(request, env, context);
  },
} satisfies ExportedHandler<object>;
