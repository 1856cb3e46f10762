// An origin's answer as an entry: its age and lifetime, and the meaning of a failure for the region.
import { beforeEach, describe, expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../../bench/support/manual-clock.ts';
import type { ListRequest, LoadResult } from '../../../edge/reads/list-source.ts';
import type { Call } from '../../../edge/request/call.ts';
import { NOWHERE } from '../../../edge/request/place.ts';
import { createTimings } from '../../../edge/request/timings.ts';
import type { OriginAnswer } from '../../../edge/upstream/origin-client.ts';
import { createOriginReader } from '../../../edge/upstream/origin-reader.ts';
import { ABSENT_TTL_MS, ITEM_TTL_MS, JITTER } from '../../../shared/caching/lifetime.ts';
import type { Region } from '../../../shared/domain/regions.ts';
import type { ListQuery } from '../../../shared/wire/read-request.ts';
import type { ListResult } from '../../../shared/wire/read-response.ts';
import { TEST_REGIONS } from '../support/harness.ts';
import { expandedKeyOf, keyOf, makeExpandedList, makeList } from '../support/lists.ts';

const REGION = TEST_REGIONS[0] as Region;
const TOOK_MS = 40;
const TTL_SECONDS = 21_600;
const plain = { key: keyOf('ann'), ttlSeconds: TTL_SECONDS, notBeforeMs: 0 } satisfies ListRequest;
const expanded = { ...plain, key: expandedKeyOf('ann') } satisfies ListRequest;

let clock: ManualClock;
let chance: number;
let asked: readonly ListQuery[];
let events: string[];

beforeEach(() => {
  clock = createManualClock();
  chance = 0;
  events = [];
});

/** The results of `requests` after the origin gives this answer at TOOK_MS. */
async function read(requests: readonly ListRequest[], answer: OriginAnswer<ListResult[]>): Promise<LoadResult[]> {
  const readLists = async (_: Region, keys: readonly ListQuery[]): Promise<OriginAnswer<ListResult[]>> => {
    asked = keys;
    clock.advance(TOOK_MS);
    return answer;
  };
  const refuse = () => Promise.reject(new Error('not asked for'));
  const client = {
    readLists,
    readManifest: refuse,
    sendReport: async () => {
      throw new Error('not called');
    },
    readDocument: refuse,
  };
  const log = { warn: (event: string) => void events.push(event), error: (event: string) => void events.push(event) };
  const call: Call = {
    deadlineAtMs: clock.now() + 1_000,
    regions: [REGION],
    place: NOWHERE,
    failedRegions: new Set(),
    requestId: 'request-1',
    traceparent: undefined,
    timings: createTimings(clock),
    waitUntil: () => {},
  };
  return createOriginReader({ client, clock, random: () => chance, log }).read(REGION, requests, call);
}

const readOne = async (request: ListRequest, result: ListResult): Promise<LoadResult> =>
  (await read([request], { kind: 'answered', value: [result] }))[0] as LoadResult;

async function readEntry(request: ListRequest, result: ListResult) {
  const calledAtMs = clock.now();
  const loaded = await readOne(request, result);
  if (loaded.kind !== 'entry') throw new Error(`expected an entry, got ${JSON.stringify(loaded)}`);
  const { storedAtMs, freshUntilMs, revalidateUntilMs, ...entry } = loaded.entry;
  return {
    ...entry,
    isFromCache: loaded.isFromCache,
    storedForMs: calledAtMs - storedAtMs,
    freshForMs: freshUntilMs - calledAtMs,
    revalidateForMs: revalidateUntilMs - freshUntilMs,
  };
}

describe('an entry', () => {
  test('is as old as the call that brought it, when it was read for that', async () => {
    expect(await readEntry(plain, makeList('a'))).toMatchObject({
      storedForMs: 0,
      freshForMs: TTL_SECONDS * 1000,
      loadMs: TOOK_MS,
      isFromCache: false,
    });
  });

  test('is older by the origin’s stated age, and its load has the call’s duration', async () => {
    expect(await readEntry(plain, { ...makeList('a'), ageMs: 600_000 })).toMatchObject({
      storedForMs: 600_000,
      freshForMs: TTL_SECONDS * 1000 - 600_000,
      loadMs: TOOK_MS,
      isFromCache: true,
    });
  });

  test('for absence is older by its age, too', async () => {
    expect(await readEntry(plain, { kind: 'absent', ageMs: 10_000 })).toMatchObject({
      storedForMs: 10_000,
      freshForMs: ABSENT_TTL_MS - 10_000,
      revalidateForMs: 0,
      isFromCache: true,
    });
  });

  test.each([
    [plain, { ...makeList('a'), ageMs: 7 }, makeList('a')],
    [expanded, { ...makeExpandedList('a'), ageMs: 7, itemsAgeMs: 9 }, makeExpandedList('a')],
    [expanded, { kind: 'absent', ageMs: 7, itemsAgeMs: 9 }, { kind: 'absent' }],
  ] as const)('holds what is served and no ages (%#)', async (request, result, value) => {
    expect((await readEntry(request, result)).value).toStrictEqual(value);
  });
});

describe('an expanded list', () => {
  test('is fresh for five minutes, and served while it is refreshed for five more', async () => {
    expect(await readEntry(expanded, makeExpandedList('a'))).toMatchObject({
      storedForMs: 0,
      freshForMs: ITEM_TTL_MS,
      revalidateForMs: ITEM_TTL_MS,
    });
  });

  test('is fresh for less by the age of its oldest item, of which its own age says nothing', async () => {
    const result = { ...makeExpandedList('a'), ageMs: 3_600_000, itemsAgeMs: 100_000 };
    expect(await readEntry(expanded, result)).toMatchObject({
      storedForMs: 3_600_000,
      freshForMs: ITEM_TTL_MS - 100_000,
      revalidateForMs: ITEM_TTL_MS,
    });
  });

  test('is fresh no longer than the list is', async () => {
    const result = { ...makeExpandedList('a'), ageMs: TTL_SECONDS * 1000 - 1_000 };
    expect(await readEntry(expanded, result)).toMatchObject({ freshForMs: 1_000 });
    const short = { ...expanded, ttlSeconds: 60 };
    expect(await readEntry(short, makeExpandedList('a'))).toMatchObject({
      freshForMs: 60_000,
      revalidateForMs: 60_000,
    });
  });

  test('with items that are too old is stale on arrival', async () => {
    const result = { ...makeExpandedList('a'), itemsAgeMs: ITEM_TTL_MS + 1 };
    expect(await readEntry(expanded, result)).toMatchObject({ freshForMs: -1 });
  });

  test('that does not exist is believed as long as any', async () => {
    expect(await readEntry(expanded, { kind: 'absent' })).toMatchObject({ freshForMs: ABSENT_TTL_MS });
  });

  test('lives a tenth shorter by chance, as all do', async () => {
    chance = 0.999_999;
    const { freshForMs } = await readEntry(expanded, makeExpandedList('a'));
    expect(freshForMs).toBeCloseTo(ITEM_TTL_MS * (1 - JITTER), -1);
  });

  test('ignores the age of items if only the list was requested', async () => {
    expect(await readEntry(plain, { ...makeList('a'), itemsAgeMs: 100_000 })).toMatchObject({
      freshForMs: TTL_SECONDS * 1000,
    });
  });
});

describe('a request to an origin states', () => {
  test('only the key if any answer is acceptable', async () => {
    await readOne(plain, makeList('a'));
    expect(asked).toStrictEqual([keyOf('ann')]);
    await readOne({ ...expanded, isBackground: false }, makeExpandedList('a'));
    expect(asked).toStrictEqual([expandedKeyOf('ann')]);
  });

  test('how old the answer may be at the moment of asking, when it must be from after another', async () => {
    await readOne({ ...plain, notBeforeMs: clock.now() - 5_000 }, makeList('a'));
    expect(asked).toStrictEqual([{ ...keyOf('ann'), maxAgeMs: 5_000 }]);
  });

  test("that only a read is acceptable, when that moment is now or in this clock's future", async () => {
    for (const laterMs of [0, 700]) {
      const loaded = await readOne({ ...plain, notBeforeMs: clock.now() + laterMs }, makeList('a'));
      expect(asked[0]?.maxAgeMs).toBe(0);
      expect(loaded.kind).toBe('entry');
    }
  });

  test('that the load is in the background', async () => {
    await readOne({ ...plain, isBackground: true }, makeList('a'));
    expect(asked).toStrictEqual([{ ...keyOf('ann'), isBackground: true }]);
  });
});

describe('an answer that is older than it may be', () => {
  const bob = { ...plain, key: keyOf('bob') };
  const youngerThan = (ms: number): ListRequest => ({ ...plain, notBeforeMs: clock.now() - ms });

  test('fails for its key only, which the next region gets, and is logged', async () => {
    const results = [{ ...makeList('a'), ageMs: 5_000 + TOOK_MS + 1 }, makeList('b')];
    const [outdated, other] = await read([youngerThan(5_000), bob], { kind: 'answered', value: results });
    expect(outdated).toEqual({
      kind: 'failed',
      reason: 'key-failed',
      regions: [{ region: 'asia', origin: { status: 200, detail: 'outdated' } }],
    });
    expect(other?.kind).toBe('entry');
    expect(events).toEqual(['lists_outdated']);
  });

  test('has failed when it says that there is no list, too', async () => {
    expect(await readOne(youngerThan(5_000), { kind: 'absent', ageMs: 60_000 })).toMatchObject({
      kind: 'failed',
      regions: [{ origin: { status: 404, detail: 'outdated' } }],
    });
  });

  test("is accepted with its age if it exceeds the limit by at most the call's duration: that call may have read it", async () => {
    expect(await readOne(youngerThan(0), { ...makeList('a'), ageMs: TOOK_MS })).toMatchObject({ kind: 'entry' });
    expect(await readOne(youngerThan(5_000), { ...makeList('a'), ageMs: 5_000 })).toMatchObject({ kind: 'entry' });
    expect(events).toEqual([]);
  });

  test('is none when any will do', async () => {
    expect(await readOne(plain, { ...makeList('a'), ageMs: 86_400_000 })).toMatchObject({ kind: 'entry' });
  });
});

describe('a failure', () => {
  const background = { ...plain, isBackground: true };
  const overloaded = { kind: 'error', code: 'overloaded' } as const;
  const verdicts = (loaded: readonly LoadResult[]) => loaded.map((each) => each.kind === 'failed' && each.reason);

  test('of a background read, for lack of capacity, does not count against the region', async () => {
    const value = [overloaded, overloaded];
    expect(verdicts(await read([background, plain], { kind: 'answered', value }))).toEqual([
      'background-shed',
      'overloaded',
    ]);
    expect(events).toEqual([]);
  });

  test('of another kind counts for background reads as for all', async () => {
    const value = [
      { kind: 'error', code: 'unavailable' },
      { kind: 'error', code: 'internal' },
    ] as const;
    expect(verdicts(await read([background, background], { kind: 'answered', value: [...value] }))).toEqual([
      'region-unavailable',
      'key-failed',
    ]);
  });

  test('to read an expanded list may be that of its items, and says nothing of other lists, unless there is too much to do', async () => {
    const value = (['unavailable', 'deadline_exceeded', 'overloaded'] as const).map(
      (code) => ({ kind: 'error', code }) as const,
    );
    expect(verdicts(await read([expanded, expanded, expanded], { kind: 'answered', value }))).toEqual([
      'key-failed',
      'key-failed',
      'overloaded',
    ]);
  });

  test('of all waited-for reads is the table’s, and one of background reads alone is not', async () => {
    await read([background], { kind: 'answered', value: [overloaded] });
    expect(events).toEqual([]);
    await read([plain, plain], { kind: 'answered', value: [overloaded, overloaded] });
    expect(events).toEqual(['table_failed']);
  });

  test('of the call with 503 is the region’s for waited-for reads, and not for background reads', async () => {
    const answer = { kind: 'failed', failure: { reason: 'status', status: 503 } } as const;
    expect(verdicts(await read([background, plain], answer))).toEqual(['background-shed', 'region-unavailable']);
  });

  test.each([
    { reason: 'status', status: 500 },
    { reason: 'timeout' },
    { reason: 'connection' },
    { reason: 'undecodable', status: 200 },
  ] as const)('of the call with %j is the region’s for all', async (failure) => {
    expect(verdicts(await read([background, plain], { kind: 'failed', failure }))).toEqual([
      'region-unavailable',
      'region-unavailable',
    ]);
  });
});
