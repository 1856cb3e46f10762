// CPU of hits in a worker that holds documents, against a worker without, in turn. A second worker without shows the
// spread.

import { measureRound, type Subject } from '../edge/rounds.ts';
import type { Answer } from '../load/http-load.ts';
import { expectHit, expectOk } from '../rigs/edge-asks.ts';
import { type EdgeRig, makeRegions, type Served } from '../rigs/edge-rig.ts';
import type { ListOrigin } from '../rigs/list-origin.ts';
import { median } from '../support/statistics.ts';

export const HIT_ROUNDS = 7;
export const HITS_PER_ROUND = 12_000;

export interface HitCost {
  /** CPU of a hit with documents against one without. */
  readonly vs: number;
  /** CPU of a hit in the second worker without documents against one in the first. */
  readonly noise: number;
  /** CPU of a hit with documents. */
  readonly micros: number;
}

/** `check` throws for a wrong answer of the worker with documents. It is called for one of 97 answers. */
export async function measureHits(
  { startEdge, asks }: EdgeRig,
  origin: ListOrigin,
  check: (answer: Answer, i: number) => void = () => undefined,
): Promise<HitCost> {
  const holding = await startEdge({ variables: { REGIONS: makeRegions(origin.url) } });
  const [without, same] = [await startEdge(), await startEdge()];
  for (const ask of asks) for (const { load } of [holding, without, same]) expectOk(await load.ask(ask));
  if (origin.documentBytes === 0) throw new Error('expected the worker to hold the documents, got none asked for');
  const subjectOf = (served: Served): Subject => ({
    ...{ served, count: HITS_PER_ROUND, askOf: (i) => asks[i % asks.length] ?? { path: '/' } },
    check: (answer, i) => {
      expectOk(answer);
      if (i % 97 !== 0) return;
      expectHit(answer);
      if (served === holding) check(answer, i % asks.length);
    },
  });
  const subjects = { holding: subjectOf(holding), without: subjectOf(without), same: subjectOf(same) };
  await measureRound(subjects);
  const rounds: Awaited<ReturnType<typeof measureRound<keyof typeof subjects>>>[] = [];
  for (let i = 0; i < HIT_ROUNDS; i++) rounds.push(await measureRound(subjects));
  await Promise.all([holding.stop(), without.stop(), same.stop()]);
  return {
    vs: median(rounds.map((each) => each.holding.micros / each.without.micros)),
    noise: median(rounds.map((each) => each.same.micros / each.without.micros)),
    micros: median(rounds.map((each) => each.holding.micros)),
  };
}
