// `POST /internal/v1/edge-report`: what one isolate of the worker has counted since its last report. Any origin adds it
// to its own sums, which a scraper collects (docs/decisions/0058).
import { COUNTERS, type CounterName } from '../../runtime/counters.ts';

export const EDGE_REPORT_PATH = '/internal/v1/edge-report';

/** Upper bounds of the classes of durations, in seconds. A last class has no bound. */
export const ANSWER_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5] as const;

/** `refused`: a 4xx. `failed`: a 5xx. */
export const ANSWER_OUTCOMES = ['ok', 'refused', 'failed'] as const;
export type AnswerOutcome = (typeof ANSWER_OUTCOMES)[number];

export interface AnswerTimes {
  /** Answers for each class of ANSWER_BOUNDS, not cumulative, and of the last one. */
  readonly counts: readonly number[];
  /** Sum of their durations. */
  readonly seconds: number;
}

export interface EdgeReport {
  /** Increases by name of the counter. A name of another build is ignored. */
  readonly counters: Readonly<Record<string, number>>;
  /** An outcome that is missing has no answers. */
  readonly answers: Readonly<Partial<Record<AnswerOutcome, AnswerTimes>>>;
}

/** Whether the worker or region objects count it. */
export const isEdgeCounter = (name: string): name is CounterName =>
  Object.hasOwn(COUNTERS, name) && !name.startsWith('origin_');
