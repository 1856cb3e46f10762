// The effects of a region's answers on an isolate's routing, and of the routing on a single read.
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../../bench/support/manual-clock.ts';
import type { ListRequest, LoadResult } from '../../../edge/reads/list-source.ts';
import type { RegionReader } from '../../../edge/reads/region-reader.ts';
import type { Call } from '../../../edge/request/call.ts';
import { NOWHERE, type Place } from '../../../edge/request/place.ts';
import { createTimings } from '../../../edge/request/timings.ts';
import { createFailoverAndHedge } from '../../../edge/upstream/failover-and-hedge.ts';
import { createRouting } from '../../../edge/upstream/routing.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import { createCounters } from '../../../shared/runtime/counters.ts';
import { drive } from '../support/drive.ts';
import { TEST_REGIONS } from '../support/harness.ts';
import { keyOf, makeList } from '../support/lists.ts';

const regions = TEST_REGIONS as readonly Region[];
const [asia, europe, us] = regions as [Region, Region, Region];

type Answer = (region: Region, requests: readonly ListRequest[], call: Call) => Promise<LoadResult[]>;

function setUp(answer: Answer = async () => []) {
  const clock = createManualClock();
  const counters = createCounters();
  const routing = createRouting({
    regions,
    clock,
    random: () => 0.5,
    counters,
    log: { warn: () => {}, error: () => {} },
  });
  const asked: { region: string; requests: readonly ListRequest[] }[] = [];
  const reader: RegionReader = {
    read: (region, requests, call) => {
      asked.push({ region: region.name, requests });
      return answer(region, requests, call);
    },
  };
  const background: Promise<unknown>[] = [];
  const makeCall = (deadlineMs = 5_000): Call => ({
    deadlineAtMs: clock.now() + deadlineMs,
    place: NOWHERE,
    regions: routing.regionsFor(NOWHERE),
    failedRegions: new Set(),
    requestId: 'request-1',
    traceparent: undefined,
    timings: createTimings(clock),
    waitUntil: (work) => background.push(work),
  });
  const source = createFailoverAndHedge({ reader, routing, clock, counters, probeTimeoutMs: 2_000 });
  const load = (call: Call, more: Partial<ListRequest> = {}) =>
    source.load([{ key: keyOf('ann'), ttlSeconds: 60, notBeforeMs: 0, ...more }], call);
  const eject = (region: Region): void => {
    for (let i = 0; i < 5; i++) routing.recordOutcome(region, NOWHERE, 'failed', 1);
  };
  return { clock, counters, routing, asked, background, makeCall, load, eject };
}

const TOKYO: Place = { ...NOWHERE, coordinates: { latitude: 35.68, longitude: 139.76 } };

const names = (order: readonly Region[]): string[] => order.map(({ name }) => name);
const failed = (region: Region, more: object = {}): LoadResult => ({
  kind: 'failed',
  reason: 'region-unavailable',
  regions: [{ region: region.name, origin: { status: 503 } }],
  ...more,
});
function given(region: Region, nowMs: number): LoadResult {
  const entry = {
    value: makeList('a'),
    storedAtMs: nowMs,
    loadMs: 1,
    freshUntilMs: nowMs + 1_000,
    revalidateUntilMs: nowMs + 1_000,
    staleUntilMs: nowMs + 1_000,
  };
  return { kind: 'entry', entry, isFromCache: false, regions: [{ region: region.name, origin: { status: 200 } }] };
}

describe('answers that come far later than another region’s would have', () => {
  test('are as bad as none', () => {
    const { routing } = setUp();
    for (let i = 0; i < 5; i++) routing.recordOutcome(asia, TOKYO, 'answered', 1_000);
    expect(names(routing.regionsFor(TOKYO))).toEqual(['us', 'europe']);
  });

  test('are not, at an unknown place, when they may just be from far away', () => {
    const { routing } = setUp();
    for (let i = 0; i < 20; i++) routing.recordOutcome(asia, NOWHERE, 'answered', 300);
    expect(names(routing.regionsFor(NOWHERE))).toContain('asia');
  });

  test('are not, when they are what the others take too', () => {
    const { routing } = setUp();
    for (let i = 0; i < 20; i++) for (const region of [europe, us]) routing.recordLatency(region, NOWHERE, 400);
    for (let i = 0; i < 20; i++) routing.recordOutcome(asia, NOWHERE, 'answered', 800);
    expect(names(routing.regionsFor(NOWHERE))).toContain('asia');
  });

  test('are judged before they have come', async () => {
    const { clock, routing, load, makeCall } = setUp(() => new Promise(() => {}));
    for (let i = 0; i < 5; i++) void load(makeCall());
    clock.advance(500);
    for (let turn = 0; turn < 20; turn++) await undefined;
    expect(routing.status(NOWHERE).regions.find(({ name }) => name === 'asia')?.state).toBe('ejected');
  });
});

describe('the time of an attempt', () => {
  /** Milliseconds that the first region gets of `deadlineMs`. */
  async function firstGets(deadlineMs: number): Promise<number> {
    const given: number[] = [];
    const { clock, load, makeCall, routing } = setUp(async (region, _requests, call) => {
      given.push(call.deadlineAtMs - clock.now());
      return [failed(region)];
    });
    for (const region of regions) for (let i = 0; i < 200; i++) routing.recordLatency(region, NOWHERE, 100);
    await load(makeCall(deadlineMs));
    return given[0] ?? 0;
  }

  test('is the remaining time without that of the next region, if it covers the region’s own p95', async () => {
    expect(await firstGets(1_000)).toBeGreaterThan(850);
    expect(await firstGets(1_000)).toBeLessThanOrEqual(900);
  });

  test('is all of it otherwise', async () => {
    expect(await firstGets(150)).toBe(150);
  });
});

describe('a region that sheds', () => {
  test('is backing off for its stated time, at most half a minute, and no read hedges meanwhile', () => {
    const { clock, routing } = setUp();
    routing.recordOutcome(asia, NOWHERE, 'shed', 1, 3_000);
    expect([routing.isBackingOff(asia), routing.isBackingOff(us), routing.isShedding()]).toEqual([true, false, true]);
    clock.advance(2_999);
    expect(routing.isShedding()).toBe(true);
    clock.advance(1);
    expect(routing.isShedding()).toBe(false);
    routing.recordOutcome(asia, NOWHERE, 'shed', 1, 9_999_000);
    clock.advance(30_000);
    expect(routing.isShedding()).toBe(false);
  });

  test('gets no failover from another region', async () => {
    const { routing, asked, load, makeCall } = setUp(async (region) => [failed(region)]);
    routing.recordOutcome(europe, NOWHERE, 'shed', 1, 3_000);
    await load(makeCall());
    expect(asked.map(({ region }) => region)).toEqual(['asia', 'us']);
  });

  test('a shed background read causes no back-off, and a shed probe is an answer', async () => {
    const rig = setUp(async (region) => [failed(region, { reason: 'background-shed', retryAfterMs: 3_000 })]);
    const { clock, routing, background, eject, load, makeCall } = rig;
    await load(makeCall(), { isBackground: true });
    expect([routing.isBackingOff(asia), routing.isShedding()]).toEqual([false, false]);
    eject(asia);
    clock.advance(1_000);
    await load(makeCall(), { isBackground: true });
    await Promise.all(background);
    expect(names(routing.regionsFor(NOWHERE))[0]).toBe('asia');
    await load(makeCall());
    expect([routing.isBackingOff(asia), routing.isShedding()]).toEqual([true, true]);
  });
});

test('a region that failed a whole request gets no other list of it', async () => {
  const { asked, load, makeCall } = setUp(async (region) => [failed(region)]);
  const call = makeCall();
  await load(call);
  await load(call);
  expect(asked.map(({ region }) => region)).toEqual(['asia', 'europe', 'us']);
});

test('a probe is a background read up to the table, and its answer readmits the region', async () => {
  const rig = setUp(async (region) => [given(region, rig.clock.now())]);
  const { clock, routing, asked, background, eject, load, makeCall } = rig;
  eject(asia);
  clock.advance(1_000);
  await load(makeCall());
  await Promise.all(background);
  const probe = asked.find(({ region }) => region === 'asia');
  expect(probe?.requests).toEqual([
    { key: keyOf('ann'), ttlSeconds: 60, notBeforeMs: clock.now(), isBackground: true },
  ]);
  expect(asked.map(({ region }) => region).sort()).toEqual(['asia', 'europe']);
  expect(names(routing.regionsFor(NOWHERE))[0]).toBe('asia');
});

test('work beyond its deadline is counted', async () => {
  const rig = setUp(
    (region) =>
      new Promise((resolve) => {
        rig.clock.setTimeout(() => resolve([given(region, rig.clock.now())]), 61);
      }),
  );
  await drive(rig.clock, rig.load(rig.makeCall(70)), 1);
  expect(rig.counters.get('edge_late_total')).toBe(0);
  await drive(rig.clock, rig.load(rig.makeCall(50)), 1);
  expect(rig.counters.get('edge_late_total')).toBe(1);
});
