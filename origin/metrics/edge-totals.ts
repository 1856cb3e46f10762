// Sums of the reports of the worker's isolates, as metrics of this process. Each report is added at one origin, so the
// sum over all origins is what the edge has counted.
import { Counter, type Registry } from 'prom-client';
import { COUNTERS } from '../../shared/runtime/counters.ts';
import { ANSWER_BOUNDS, ANSWER_OUTCOMES, type EdgeReport, isEdgeCounter } from '../../shared/wire/edge/edge-report.ts';
import { createLabelledHistogram } from './labelled-histogram.ts';

export type AddEdgeReport = (report: EdgeReport) => void;

/** Registers the metrics with `prefix`. */
export function registerEdgeTotals(registry: Registry, prefix: string): AddEdgeReport {
  const counters = new Map<string, Counter>();
  for (const [name, help] of Object.entries(COUNTERS)) {
    if (isEdgeCounter(name)) counters.set(name, new Counter({ name: prefix + name, help, registers: [registry] }));
  }
  const seconds = createLabelledHistogram({
    name: `${prefix}edge_answer_seconds`,
    help: 'duration of the answers of the worker',
    label: 'outcome',
    labelValues: ANSWER_OUTCOMES,
    buckets: ANSWER_BOUNDS,
    registry,
  });
  return ({ counters: increases, answers }) => {
    for (const [name, by] of Object.entries(increases)) counters.get(name)?.inc(by);
    for (const outcome of ANSWER_OUTCOMES) {
      const of = answers[outcome];
      if (of !== undefined) seconds.merge(of.counts, of.seconds, outcome);
    }
  };
}
