import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCohortCounter } from '../../../../origin/metrics/cohorts.ts';
import { addCohorts, type CohortSums, emptyCohort } from '../../../../shared/domain/cohort.ts';
import { formatGeneration } from '../../../../shared/domain/generation.ts';
import { POPULAR_USER, toName, toUserId } from '../../../../shared/domain/ids.ts';
import { EMPTY_MANIFEST, type Manifest } from '../../../../shared/domain/manifest.ts';
import { encodeUtf8 } from '../../../../shared/runtime/bytes.ts';
import type { ListQuery } from '../../../../shared/wire/read-request.ts';
import type { ListResult } from '../../../../shared/wire/read-response.ts';

const LIVE = 1_795_316_400_000;
const NEXT = LIVE + 86_400_000;
const NAME = `home/control@${formatGeneration(NEXT)}`;

const manifestOf = (canary?: number): Manifest => ({
  ...EMPTY_MANIFEST,
  surfaces: {
    home: {
      salt: 'home-1',
      listTtlSeconds: 60,
      variants: [
        {
          name: toName('control'),
          weight: 10_000,
          current: LIVE,
          ...(canary === undefined ? {} : { canary: { generation: canary, share: 0.01, untilMs: canary + 1000 } }),
        },
      ],
    },
  },
});

const query = (user: string, more: Partial<ListQuery> = {}): ListQuery => ({
  surface: toName('home'),
  variant: toName('control'),
  generation: NEXT,
  user: toUserId(user),
  ...more,
});
const listOf = (items: number, generation = NEXT): ListResult => ({
  kind: 'list',
  generation,
  digest: 'd',
  bytes: encodeUtf8(Array.from({ length: items }, (_, i) => `{"id":"t:${i}","score":1}`).join(',\n')),
});
const inControl = { generation: LIVE, coldFor: NEXT } as const;

describe('the counter of cohorts', () => {
  test('counts each user once, with the first list', () => {
    const counter = createCohortCounter();
    const manifest = manifestOf(NEXT);
    const queries = [query('u:1'), query('u:2'), query('u:1')];
    const results = [listOf(3), listOf(2, LIVE), listOf(9)];
    counter.record(manifest, { queries, results, loaded: { indexes: [0, 2], ms: 4 } });
    counter.record(manifest, { queries: [query('u:2')], results: [{ kind: 'absent' }] });
    const bytes = results.map((result) => (result.kind === 'list' ? result.bytes.length : 0));
    expect(counter.sums(manifest)[NAME]?.canary).toEqual({
      users: 2,
      absent: 0,
      older: 1,
      errors: 0,
      items: { count: 2, sum: 5, squares: 13 },
      bytes: {
        count: 2,
        sum: Number(bytes[0]) + Number(bytes[1]),
        squares: Number(bytes[0]) ** 2 + Number(bytes[1]) ** 2,
      },
      latencyMs: { count: 1, sum: 4, squares: 16 },
    });
  });

  test('tells the cohorts apart by the key alone, and counts no other read', () => {
    const counter = createCohortCounter();
    const manifest = manifestOf(NEXT);
    const queries = [
      query('u:1'),
      query('u:2', inControl),
      query('u:3', { generation: LIVE }),
      query('u:4', { generation: LIVE, coldFor: LIVE - 1 }),
      query('u:5', { isBackground: true }),
      query('u:6', { ...inControl, isBackground: true }),
      query('u:7', { variant: toName('knn') }),
      query('u:8', { surface: toName('radio') }),
      { ...query('u:9'), user: POPULAR_USER },
    ];
    counter.record(manifest, { queries, results: queries.map(() => listOf(1)) });
    const { canary, control } = counter.sums(manifest)[NAME] ?? {};
    expect([canary?.users, control?.users, control?.older]).toEqual([1, 1, 1]);
  });

  test('counts a failed read as an error, and its user at a later success', () => {
    const counter = createCohortCounter();
    const manifest = manifestOf(NEXT);
    const failed: ListResult = { kind: 'error', code: 'unavailable' };
    for (const result of [failed, failed, { kind: 'absent' } as const])
      counter.record(manifest, { queries: [query('u:1')], results: [result] });
    expect(counter.sums(manifest)[NAME]?.canary).toMatchObject({ users: 1, absent: 1, errors: 2 });
  });

  test('keeps its sums while the manifest names the canary, and drops them with it', () => {
    const counter = createCohortCounter();
    const record = (manifest: Manifest) => counter.record(manifest, { queries: [query('u:1')], results: [listOf(1)] });
    record(manifestOf(NEXT));
    record(manifestOf(NEXT));
    expect(counter.sums(manifestOf(NEXT))[NAME]?.canary.users).toBe(1);
    expect(counter.sums(manifestOf())).toEqual({});
    expect(counter.sums(manifestOf(NEXT))[NAME]?.canary.users).toBe(0);
    record(manifestOf(NEXT));
    expect(Object.keys(counter.sums(manifestOf(NEXT + 1)))).toEqual([`home/control@${formatGeneration(NEXT + 1)}`]);
  });

  test('remembers no more users than its bound', () => {
    const counter = createCohortCounter(10);
    const manifest = manifestOf(NEXT);
    for (let i = 0; i < 25; i++) counter.record(manifest, { queries: [query(`u:${i}`)], results: [listOf(1)] });
    expect(counter.sums(manifest)[NAME]?.canary.users).toBe(10);
  });
});

/** A read of one of 30 users, in one of two cohorts. Each user is served by one process. */
const anyRead = fc.record({
  user: fc.integer({ min: 0, max: 29 }),
  isControl: fc.boolean(),
  ms: fc.option(fc.integer({ min: 0, max: 2000 })),
  outcome: fc.oneof(fc.constant('absent' as const), fc.constant('error' as const), fc.integer({ min: 1, max: 100 })),
  isOlder: fc.boolean(),
});

test('the sums of several processes together are those of one that answers all reads', () => {
  fc.assert(
    fc.property(fc.array(anyRead, { maxLength: 80 }), fc.integer({ min: 1, max: 4 }), (reads, processes) => {
      const manifest = manifestOf(NEXT);
      const single = createCohortCounter();
      const several = Array.from({ length: processes }, () => createCohortCounter());
      for (const { user, isControl, ms, outcome, isOlder } of reads) {
        const result: ListResult =
          outcome === 'absent'
            ? { kind: 'absent' }
            : outcome === 'error'
              ? { kind: 'error', code: 'unavailable' }
              : listOf(outcome, isOlder ? LIVE : NEXT);
        const queries = [query(`u:${user}`, isControl ? inControl : {})];
        const answered = { queries, results: [result], ...(ms === null ? {} : { loaded: { indexes: [0], ms } }) };
        single.record(manifest, answered);
        several[user % processes]?.record(manifest, answered);
      }
      for (const cohort of ['canary', 'control'] as const) {
        const sumOf = (counter: (typeof several)[number]): CohortSums =>
          counter.sums(manifest)[NAME]?.[cohort] ?? emptyCohort();
        expect(several.map(sumOf).reduce(addCohorts, emptyCohort())).toEqual(sumOf(single));
      }
    }),
  );
});
