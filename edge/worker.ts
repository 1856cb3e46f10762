// The worker's entry. It only wires. Long-lived objects are built at the isolate's first request, which brings `env`
// and the host for the keys of the data centre's cache.
import { type Answer, assemble } from './assemble.ts';

let answer: Answer | undefined;

export { RegionCache } from './region/region-cache.ts';

export default {
  fetch: (request, env: object, context) => {
    answer ??= assemble(env, new URL(request.url).origin);
    return answer(request, env, context);
  },
} satisfies ExportedHandler<object>;
