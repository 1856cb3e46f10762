// CPU of the workerd process per request: a list from the isolate's memory, with and without the limits of callers, and
// with an exposure; the same bytes from a bare route; and batches of such lists.
import type { Answer, Ask } from '../load/http-load.ts';
import { createBatchAsks, expectBatch, expectHit, expectOk, READS_PER_BATCH } from '../rigs/edge-asks.ts';
import { type EdgeRig, makeRegions, type Served } from '../rigs/edge-rig.ts';
import { EXPERIMENTS, startListOrigin } from '../rigs/list-origin.ts';
import { median } from '../support/statistics.ts';
import { type Cost, measureRound, type Subject } from './rounds.ts';

export const ROUNDS = 7;
/** Requests per round. They use a second of CPU or more, much longer than Linux's resolution of 10 ms. */
export const REQUESTS = 12_000;
export const BATCHES = 500;
/** Requests before the measurement, so that V8 has compiled the hot code. */
const WARM_UP_ROUNDS = 2;
/** One of this many answers is compared byte by byte. More would slow down the client. */
const SAMPLE_EVERY = 97;

export interface Costs {
  readonly hit: Cost;
  readonly bare: Cost;
  /** CPU per batch. */
  readonly batch: Cost;
  readonly hitVsBare: number;
  /** With RATE_LIMITS=on, against off. */
  readonly limitedVsHit: number;
  readonly batchVsHit: number;
  /** In an experiment, with an exposure, against none. */
  readonly exposedVsHit: number;
  /** Bytes of the exposure in an answer. */
  readonly exposureBytes: number;
}

type Name = 'hit' | 'limited' | 'exposed' | 'bare' | 'batch';

/** Limits that no load reaches: the measurement is of their check. */
const LIMITS = { perSecond: 1_000_000, burst: 10_000_000 };
const HASH_KEY = 'hash-key-for-benches-only-0123456789-abcdef';
/** Throws an Error for an answer without an exposure. */
function exposureIn({ headers }: Answer): string {
  const exposure = String(headers['earshot-exposure']);
  if (!exposure.startsWith('v1.')) throw new Error(`expected an exposure, got ${exposure}`);
  return exposure;
}

type Round = Readonly<Record<Name, Cost>>;

export async function measureHits(rig: EdgeRig): Promise<Costs> {
  const variables = { RATE_LIMITS: 'on', LIMITS: JSON.stringify({ subject: LIMITS, address: LIMITS }) };
  const [edge, limited, bare] = [await rig.startEdge(), await rig.startEdge({ variables }), await rig.startBare()];
  const origin = await startListOrigin();
  origin.publish({ experiments: EXPERIMENTS }, new Map());
  const exposed = await rig.startEdge({ variables: { REGIONS: makeRegions(origin.url), HASH_KEY } });
  for (const ask of rig.asks) for (const { load } of [edge, limited, exposed]) expectOk(await load.ask(ask));
  const subjects = await makeSubjects(rig, { edge, limited, exposed, bare });
  for (let i = 0; i < WARM_UP_ROUNDS; i++) await measureRound(subjects);
  const readsBefore = rig.origin.reads;
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measureRound(subjects));
  const reads = rig.origin.reads - readsBefore;
  if (reads > 0) throw new Error(`expected hits only, got ${reads} reads at the origin`);
  const exposureBytes = exposureIn(await exposed.load.ask(rig.asks[0] ?? { path: '/' })).length;
  await Promise.all([edge.stop(), limited.stop(), exposed.stop(), bare.stop(), origin.stop()]);

  const middle = (of: (round: Round) => number): number => median(rounds.map(of));
  const costOf = (name: Name): Cost => ({
    micros: middle((round) => round[name].micros),
    perSecond: middle((round) => round[name].perSecond),
  });
  return {
    hit: costOf('hit'),
    bare: costOf('bare'),
    batch: costOf('batch'),
    hitVsBare: middle(({ hit, bare }) => hit.micros / bare.micros),
    limitedVsHit: middle(({ hit, limited }) => limited.micros / hit.micros),
    exposureBytes,
    exposedVsHit: middle(({ hit, exposed: own }) => own.micros / hit.micros),
    batchVsHit: middle(({ hit, batch }) => batch.micros / hit.micros),
  };
}

interface Workers {
  readonly edge: Served;
  readonly limited: Served;
  readonly exposed: Served;
  readonly bare: Served;
}

async function makeSubjects(rig: EdgeRig, { edge, limited, exposed, bare }: Workers): Promise<Record<Name, Subject>> {
  const { users, asks, bodies } = rig;
  const batchUsers = users.slice(0, READS_PER_BATCH);
  const batch = (await createBatchAsks())(batchUsers);
  const isSampled = (i: number): boolean => i % SAMPLE_EVERY === 0;
  const askOf = (i: number): Ask => asks[i % asks.length] ?? batch;
  const checkBare = (answer: Answer, i: number): void => {
    expectOk(answer);
    if (isSampled(i) && !answer.body.equals(bodies[i % asks.length] ?? Buffer.alloc(0)))
      throw new Error(`expected the same bytes from both workers, got ${answer.body.toString().slice(0, 200)}`);
  };
  const checkHit = (answer: Answer, i: number): void => {
    checkBare(answer, i);
    if (isSampled(i)) expectHit(answer);
  };
  const checkExposed = (answer: Answer, i: number): void => {
    expectOk(answer);
    if (!isSampled(i)) return;
    expectHit(answer);
    exposureIn(answer);
  };
  const checkBatch = (answer: Answer, i: number): void => {
    expectOk(answer);
    if (isSampled(i)) expectBatch(answer, batchUsers);
  };
  return {
    hit: { served: edge, count: REQUESTS, askOf, check: checkHit },
    limited: { served: limited, count: REQUESTS, askOf, check: checkHit },
    exposed: { served: exposed, count: REQUESTS, askOf, check: checkExposed },
    bare: { served: bare, count: REQUESTS, askOf, check: checkBare },
    batch: { served: edge, count: BATCHES, askOf: () => batch, check: checkBatch },
  };
}
