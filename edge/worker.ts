// The worker's entry. It only wires. Long-lived objects are built at the isolate's first request, which brings `env`.
import { type Answer, assemble } from './assemble.ts';

let answer: Answer | undefined;

export { RegionCache } from './region/region-cache.ts';

export default {
  fetch: (request, env: object, context) => {
    answer ??= assemble(env);
    return answer(request, env, context);
  },
} satisfies ExportedHandler<object>;
