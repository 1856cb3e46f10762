// `POST /internal/v1/edge-report`: what one isolate of the worker has counted since its last report. Any origin adds it
// to its own sums, which a scraper collects. docs/decisions/0058 says why.
import { z } from 'zod';
import { COUNTERS, type CounterName } from '../runtime/counters.ts';

export const EDGE_REPORT_PATH = '/internal/v1/edge-report';

/** Upper bounds of the classes of durations, in seconds. A last class has no bound. */
export const ANSWER_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5] as const;

/** `refused`: a 4xx. `failed`: a 5xx. */
export const ANSWER_OUTCOMES = ['ok', 'refused', 'failed'] as const;
export type AnswerOutcome = (typeof ANSWER_OUTCOMES)[number];

/** More than an isolate counts in a day. */
const MAX_COUNT = 1e12;
const count = z.number().min(0).max(MAX_COUNT);

const answersSchema = z.object({
  /** Answers for each class of ANSWER_BOUNDS, not cumulative, and of the last one. */
  counts: z.array(count).length(ANSWER_BOUNDS.length + 1),
  /** Sum of their durations. */
  seconds: count,
});

export const edgeReportSchema = z.object({
  /** Increases by name of the counter. A name of another build is ignored. */
  counters: z.record(z.string(), count),
  answers: z.partialRecord(z.enum(ANSWER_OUTCOMES), answersSchema),
});

export type EdgeReport = z.infer<typeof edgeReportSchema>;
export type AnswerTimes = z.infer<typeof answersSchema>;

/** The counters of the worker and of region objects. */
export const isEdgeCounter = (name: string): name is CounterName =>
  Object.hasOwn(COUNTERS, name) && !name.startsWith('origin_');
