// Cost of 50 000 pending erasures: CPU of a hit, memory of an isolate and of an origin's documents, and bytes that a
// data centre fetches in an hour of erasures at a steady rate. Cost of 10 000 blocked items: CPU of a hit.

import { changeSegments, type Segment, toErasureJson } from '../../ops/effects/erasure-segments.ts';
import { MAX_BLOCKED_ITEMS } from '../../shared/domain/effects/block-list.ts';
import { nameDocument } from '../../shared/domain/effects/documents.ts';
import { KEEP_ERASURE_MS } from '../../shared/domain/effects/erasure-document.ts';
import { userHashOf } from '../../shared/domain/keys.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { expectOk } from '../rigs/edge-asks.ts';
import { createEdgeRig, type EdgeRig, makeRegions } from '../rigs/edge-rig.ts';
import { connectInspector, measureLiveBytes } from '../rigs/inspector.ts';
import { type ListOrigin, startListOrigin } from '../rigs/list-origin.ts';
import { withCleanup } from '../support/cleanup.ts';
import type { BenchResult } from '../support/result.ts';
import { measureBlocked } from './blocked-items.ts';
import { HIT_ROUNDS, HITS_PER_ROUND, measureHits } from './hit-cost.ts';
import { measureOriginBytes } from './origin-memory.ts';

const ERASURES = 50_000;
/** 50 000 in a day and a half. */
const PER_HOUR = Math.round(ERASURES / 36);
/** Calls of `earshot erase` in an hour; each changes the documents twice: hidden, and erased. */
const CALLS_PER_HOUR = 6;
/** The fetched bytes are a mean over these. */
const HOURS = 24;

export const benchErasures = (): Promise<BenchResult> =>
  withCleanup(async (cleanup) => {
    const pending = createPending();
    // First: what the rig leaves to the garbage collector would count.
    const originBytes = await measureOriginBytes(pending.segments().map(toErasureJson));
    const rig = await createEdgeRig(cleanup);
    const origin = await startListOrigin();
    cleanup.add(origin.stop);
    publish(origin, pending.segments());
    const hits = await measureHits(rig, origin);
    const isolateBytes = await measureIsolate(rig, origin);
    const { bytes, documents } = countBytes(pending);
    const blocked = await measureBlocked(rig, cleanup);

    const figures = {
      hitCpuVs: round(hits.vs, 3),
      sameVsSame: round(hits.noise, 3),
      isolateMb: round(isolateBytes / 1e6, 2),
      originMb: round(originBytes / 1e6, 2),
      bytesPerHour: bytes,
      hitCpuUs: round(hits.micros, 1),
      erasures: ERASURES,
      blockedHitCpuVs: round(blocked.hits.vs, 3),
      blockedSameVsSame: round(blocked.hits.noise, 3),
      blockedFirstUs: round(blocked.firstMicros, 2),
      blockedLaterUs: round(blocked.laterMicros, 2),
      notBlockedUs: round(blocked.noneMicros, 2),
      blockedItems: MAX_BLOCKED_ITEMS,
    };
    const report = [
      `a hit with ${ERASURES} pending erasures: ${figures.hitCpuVs} times the CPU of one without (${figures.hitCpuUs} us); of two workers without, one needs ${figures.sameVsSame} times the CPU of the other`,
      `  (medians of ${HIT_ROUNDS} rounds in turn, ${HITS_PER_ROUND} requests each)`,
      `memory of an isolate: ${figures.isolateMb} MB more; of an origin: ${figures.originMb} MB more`,
      `bytes that a data centre fetches in an hour of ${PER_HOUR} erasures by ${CALLS_PER_HOUR} calls: ${bytes} in ${documents} documents`,
      `a hit on a list that lost one of ${MAX_BLOCKED_ITEMS} blocked items: ${figures.blockedHitCpuVs} times the CPU of one without a block list; of two workers without, ${figures.blockedSameVsSame}`,
      `  the filter of a list of 50 items: ${figures.blockedFirstUs} us at the first hit after a change, ${figures.blockedLaterUs} us at later ones, ${figures.notBlockedUs} us without blocked items`,
    ];
    return { report: report.join('\n'), figures };
  });

interface Pending {
  segments(): readonly Segment[];
  /** Erases `count` more users, a step later. Returns the documents of the two changes that were not there before. */
  eraseMore(count: number, stepMs: number): string[];
}

/** ERASURES users that were erased one call after the other at a steady rate. */
function createPending(): Pending {
  const stepMs = 3_600_000 / CALLS_PER_HOUR;
  const callSize = Math.round(PER_HOUR / CALLS_PER_HOUR);
  const calls = Math.ceil(ERASURES / callSize);
  let nowMs = systemClock.now() - calls * stepMs;
  let segments: readonly Segment[] = [];
  let erased = 0;
  const change = (changes: Segment): string[] => {
    const before = segments;
    segments = changeSegments(segments, changes, nowMs);
    return segments.filter((segment) => !before.includes(segment)).map(toErasureJson);
  };
  const eraseMore: Pending['eraseMore'] = (count, step) => {
    nowMs += step;
    const hashes = Array.from({ length: count }, () => userHashOf(`erased:${erased++}`));
    return [
      ...change(new Map(hashes.map((hash) => [hash, null]))),
      ...change(new Map(hashes.map((hash) => [hash, nowMs]))),
    ];
  };
  for (let i = 0; i < calls; i++) eraseMore(callSize, stepMs);
  const size = segments.reduce((sum, segment) => sum + segment.size, 0);
  if (size < ERASURES || calls * stepMs > KEEP_ERASURE_MS)
    throw new Error(`expected ${ERASURES} erasures to be remembered, got ${size}`);
  return { segments: () => segments, eraseMore };
}

function publish(origin: ListOrigin, segments: readonly Segment[]): void {
  const documents = new Map(
    segments.map((segment, i) => [
      nameDocument({ kind: 'erasures', version: `${i}-${segment.size}` }),
      toErasureJson(segment),
    ]),
  );
  const versions = [...documents.keys()].map((name) => name.slice('erasures#'.length));
  origin.publish({ documents: { erasures: versions } }, documents);
}

/** Live bytes of an isolate with the erasures beyond those of one without. */
async function measureIsolate({ startEdge, asks }: EdgeRig, origin: ListOrigin): Promise<number> {
  const measure = async (variables: Readonly<Record<string, string>>): Promise<number> => {
    const { load, inspectorPort = 0, stop } = await startEdge({ withInspector: true, variables });
    for (const ask of asks) expectOk(await load.ask(ask));
    const inspector = await connectInspector(inspectorPort);
    const bytes = await measureLiveBytes(inspector, () => load.ask({ path: '/healthz' }));
    inspector.close();
    await stop();
    return bytes;
  };
  const without = await measure({});
  return (await measure({ REGIONS: makeRegions(origin.url) })) - without;
}

/** The mean of HOURS of erasures beside those that are pending: a merge of the documents is rarer than once an hour. */
function countBytes({ eraseMore }: Pending): { readonly bytes: number; readonly documents: number } {
  const written = Array.from({ length: HOURS * CALLS_PER_HOUR }, () =>
    eraseMore(Math.round(PER_HOUR / CALLS_PER_HOUR), 3_600_000 / CALLS_PER_HOUR),
  ).flat();
  const bytes = written.reduce((sum, json) => sum + Buffer.byteLength(json), 0);
  return { bytes: Math.round(bytes / HOURS), documents: Math.round(written.length / HOURS) };
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
