// Counts of the isolate that no origin has yet. The worker and the region objects of an isolate share it.
import type { CounterName, Counters } from '../../shared/runtime/counters.ts';
import { ANSWER_BOUNDS, type AnswerOutcome, type EdgeReport } from '../../shared/wire/edge/edge-report.ts';

type Answers = Record<AnswerOutcome, { counts: number[]; seconds: number }>;

export interface Unreported {
  /** Records the answer to a request of the API. */
  addAnswer(status: number, durationMs: number): void;
  /** The increases since the last call. Undefined without any. */
  take(): EdgeReport | undefined;
  /** Adds a report that no origin has taken. */
  giveBack(report: EdgeReport): void;
}

export function createUnreported(counters: Pick<Counters, 'snapshot'>): Unreported {
  const reported = new Map<string, number>();
  let answers = noAnswers();

  return {
    addAnswer: (status, durationMs) => {
      const of = answers[status >= 500 ? 'failed' : status >= 400 ? 'refused' : 'ok'];
      const seconds = durationMs / 1000;
      let at = 0;
      while (at < ANSWER_BOUNDS.length && seconds > (ANSWER_BOUNDS[at] as number)) at++;
      of.counts[at] = (of.counts[at] as number) + 1;
      of.seconds += seconds;
    },
    take: () => {
      const increases: Record<string, number> = {};
      for (const [name, value] of Object.entries(counters.snapshot()) as [CounterName, number][]) {
        const by = value - (reported.get(name) ?? 0);
        if (by === 0) continue;
        increases[name] = by;
        reported.set(name, value);
      }
      if (Object.keys(increases).length === 0) return undefined;
      const taken = answers;
      answers = noAnswers();
      return { counters: increases, answers: taken };
    },
    giveBack: ({ counters: increases, answers: taken }) => {
      for (const [name, by] of Object.entries(increases)) reported.set(name, (reported.get(name) ?? 0) - by);
      for (const [outcome, { counts, seconds }] of Object.entries(taken) as [AnswerOutcome, Answers['ok']][]) {
        const of = answers[outcome];
        of.seconds += seconds;
        for (const [at, by] of counts.entries()) of.counts[at] = (of.counts[at] as number) + by;
      }
    },
  };
}

const noAnswers = (): Answers => ({ ok: none(), refused: none(), failed: none() });
const none = () => ({ counts: new Array<number>(ANSWER_BOUNDS.length + 1).fill(0), seconds: 0 });
