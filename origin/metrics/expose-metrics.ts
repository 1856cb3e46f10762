// The metrics of this origin as Prometheus scrapes them: of all its processes together, whichever of them is asked. Counts, and what is held, add
// up; a process that does not answer in time is left out, and seen to be missing.
import { AggregatorRegistry, Gauge, type MetricObject, Registry } from 'prom-client';
import type { Siblings } from '../workers/siblings.ts';
import { PREFIX } from './metrics.ts';

export interface Exposed {
  readonly contentType: string;
  readonly body: string;
}

/** Scrapes are answered within 10 s by default. */
const SIBLING_TIMEOUT_MS = 2_000;

export function exposeMetrics(
  registry: Registry,
  siblings: Pick<Siblings, 'own' | 'count' | 'readMetrics'> | undefined,
): () => Promise<Exposed> {
  async function readOthers({ own, count, readMetrics }: NonNullable<typeof siblings>): Promise<object[][]> {
    const others = Array.from({ length: count }, (_, i) => i).filter((i) => i !== own);
    const answers = await Promise.allSettled(others.map((i) => readMetrics(i, SIBLING_TIMEOUT_MS)));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  return async () => {
    const others = siblings === undefined ? [] : await readOthers(siblings);
    const own = (await registry.getMetricsAsJSON()) as object[];
    const all = AggregatorRegistry.aggregate([own, ...others] as MetricObject[][] as never) as Registry;
    new Gauge({
      name: `${PREFIX}origin_workers_reporting`,
      help: 'processes of this origin that these metrics are of',
      registers: [all],
    }).set(1 + others.length);
    return { contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: await all.metrics() };
  };
}
