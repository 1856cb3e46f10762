// The checks of the gate on days as data: each bad day is refused by the check that names its fault, good days raise no
// alarm, and a bound decides at its own value.
import { describe, expect, test } from 'vitest';
import { CHECK_NAMES } from '../../../../ops/release/checks/all.ts';
import type { CheckInput } from '../../../../ops/release/checks/check.ts';
import { describeRefusal, judge, noteUnknownBounds, runChecks } from '../../../../ops/release/gate/run-checks.ts';
import {
  compare,
  type Day,
  lengthen,
  makeDay,
  mapLists,
  meanOverlapOf,
  nextDay,
  swapUsers,
  YESTERDAY,
} from './sampled-days.ts';

const USERS = 300;
const yesterday = makeDay(USERS);
const today = nextDay(yesterday, 1);

const refusedBy = (input: CheckInput, bounds: Record<string, number> = {}): string[] =>
  runChecks(input, { bounds, accepted: [] })
    .rows.filter(({ verdict }) => verdict === 'refused')
    .map(({ check }) => check);

const half = <T>(value: T, index: number): T | undefined => (index % 2 === 0 ? value : undefined);
const reversed: Day = mapLists(today, (items) => {
  const scores = items.map(({ score }) => score).reverse();
  return items.map(({ id }, i) => ({ id, score: scores[i] ?? 0 }));
});

describe('a bad day is refused', () => {
  test.each<[fault: string, input: () => CheckInput, by: string[]]>([
    ['half of the rows missing', () => compare(yesterday, mapLists(today, half)), ['users', 'empty-lists']],
    [
      'half of the lists empty',
      () =>
        compare(
          yesterday,
          mapLists(today, (list, i) => half(list, i) ?? []),
        ),
      ['empty-lists', 'short-lists'],
    ],
    [
      'every list cut to a third',
      () =>
        compare(
          yesterday,
          mapLists(today, (list) => list.slice(0, 16)),
        ),
      ['short-lists', 'bytes', 'score-spread'],
    ],
    [
      'every tenth list cut to a third',
      () =>
        compare(
          yesterday,
          mapLists(today, (list, i) => (i % 10 === 0 ? list.slice(0, 16) : list)),
        ),
      ['short-lists'],
    ],
    ['lists three times as long', () => compare(yesterday, lengthen(today, 3)), ['long-lists', 'bytes']],
    [
      'every tenth list three times as long',
      () => {
        const longer = lengthen(today, 3);
        const some = new Map(
          [...today].map(([user, list], i) => [user, (i % 10 === 0 ? longer.get(user) : list) ?? []]),
        );
        return compare(yesterday, some);
      },
      ['long-lists', 'bytes'],
    ],
    ['users swapped', () => compare(yesterday, swapUsers(today)), ['overlap']],
    ["yesterday's file again", () => compare(yesterday, yesterday), ['unchanged']],
    [
      "yesterday's file again with scores of another precision",
      () =>
        compare(
          yesterday,
          mapLists(yesterday, (list) => list.map(({ id, score }) => ({ id, score: score - 1e-3 }))),
        ),
      ['unchanged'],
    ],
    [
      'unknown items',
      () =>
        compare(
          yesterday,
          mapLists(today, (list) => list.map((item) => ({ ...item, id: `new-${item.id}` }))),
          {
            unknown: (id) => id.startsWith('new-'),
          },
        ),
      ['overlap', 'unknown-items'],
    ],
    [
      'one unknown item in the lists of every fifth user',
      () =>
        compare(
          yesterday,
          mapLists(today, (list, i) => (i % 5 === 0 ? [{ id: 'gone', score: 1 }, ...list] : list)),
          {
            unknown: (id) => id === 'gone',
          },
        ),
      ['unknown-items'],
    ],
    ['scores reversed', () => compare(yesterday, reversed), ['score-order']],
    [
      'every tenth list reversed',
      () =>
        compare(
          yesterday,
          new Map([...today].map(([user, list], i) => [user, (i % 10 === 0 ? reversed.get(user) : list) ?? []])),
        ),
      ['score-order'],
    ],
    [
      'all items scored alike',
      () =>
        compare(
          yesterday,
          mapLists(today, (list) => list.map((item) => ({ ...item, score: 0.5 }))),
        ),
      ['score-spread'],
    ],
    ['one cluster truncated', () => compare(yesterday, today, { differing: { europe: 3 } }), ['clusters']],
  ])('%s', (_fault, input, by) => {
    expect(refusedBy(input()).sort()).toEqual(by.sort());
  });
});

describe('a good day', () => {
  test('changes lists as real ones do', () => {
    expect(meanOverlapOf(yesterday, today)).toBeGreaterThan(0.8);
    expect(meanOverlapOf(yesterday, today)).toBeLessThan(0.92);
  });

  test('raises no alarm, 20 in a row, with users that come and go', () => {
    let day = yesterday;
    for (let i = 1; i <= 20; i++) {
      const comers: Day = new Map([...makeDay(USERS + 5 * i)].slice(-5));
      const next = new Map(
        [...nextDay(day, i)].slice(3).concat([...comers].map(([user, list]) => [`${user}/${i}`, list])),
      );
      expect([i, refusedBy(compare(day, next))]).toEqual([i, []]);
      day = next;
    }
  });

  test('has no alarm for users that left the loads days ago', () => {
    const input = compare(
      yesterday,
      mapLists(today, (list, i) => (i < 100 ? undefined : list)),
    );
    const users = input.users.map((user) =>
      user.new === undefined && user.live
        ? { ...user, live: { ...user.live, generation: YESTERDAY - 86_400_000 } }
        : user,
    );
    expect(refusedBy({ ...input, users })).toEqual(['users']);
    const lists = { ...input.summaries.new };
    expect(refusedBy({ ...input, users, summaries: { new: lists, live: { ...lists, checksum: 'other' } } })).toEqual(
      [],
    );
  });

  test('of an instance without metadata has no alarm', () => {
    expect(refusedBy(compare(yesterday, today, { unknown: () => true }))).toEqual([]);
  });

  test('of a surface whose lists are never in the order of scores has no alarm', () => {
    const unordered = (day: Day) => mapLists(day, (list) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1)));
    expect(refusedBy(compare(unordered(yesterday), unordered(today)))).not.toContain('score-order');
  });

  test('of one popular list, whose first items stay, has no alarm', () => {
    const [[, list] = ['', []]] = [...yesterday];
    const popular = (drop: number): Day =>
      new Map([['~popular', list.map(({ id, score }) => ({ id, score: score - drop }))]]);
    expect(refusedBy(compare(popular(0), popular(0.001)))).toEqual([]);
    expect(refusedBy(compare(popular(0), popular(0)))).toEqual(['unchanged']);
  });
});

describe('a first release', () => {
  const verdictsOf = (input: CheckInput) =>
    Object.fromEntries(runChecks(input, { accepted: [] }).rows.map(({ check, verdict }) => [check, verdict]));

  test('has nothing to compare with: every check is `first`', () => {
    const input = compare(undefined, today, { unknown: () => true });
    expect(verdictsOf(input)).toEqual(Object.fromEntries(CHECK_NAMES.map((name) => [name, 'first'])));
    expect(runChecks(input, { accepted: [] })).toMatchObject({ verdict: 'passed', reasons: [] });
  });

  test.each<[fault: string, input: CheckInput, by: string[]]>([
    ['without lists', compare(undefined, new Map()), ['users']],
    [
      'with empty lists',
      compare(
        undefined,
        mapLists(today, (list, i) => half(list, i) ?? []),
      ),
      ['empty-lists'],
    ],
    ['that a cluster lacks', compare(undefined, today, { differing: { us: 1 } }), ['clusters']],
  ])('%s is refused', (_fault, input, by) => {
    expect(refusedBy(input)).toEqual(by);
  });
});

describe('a bound', () => {
  const tenth = compare(
    yesterday,
    mapLists(today, (list, i) => (i % 10 === 0 ? undefined : list)),
  );

  test.each([
    ['users', 0.9, 0.91],
    ['empty-lists', 0.1, 0.09],
  ])('of %s passes at %d and refuses at %d', (name, passing, refusing) => {
    expect(refusedBy(tenth, { [name]: passing })).not.toContain(name);
    expect(refusedBy(tenth, { [name]: refusing })).toContain(name);
  });

  test('of a surface replaces the default, up to allowing anything', () => {
    expect(refusedBy(compare(yesterday, yesterday), { unchanged: 1 })).toEqual([]);
    expect(refusedBy(compare(yesterday, swapUsers(today)), { overlap: 0 })).toEqual([]);
    expect(refusedBy(compare(yesterday, today), { overlap: 0.95 })).toEqual(['overlap']);
    expect(refusedBy(compare(yesterday, lengthen(today, 3)), { bytes: 4, 'long-lists': 1 })).toEqual([]);
  });

  test('that no check has is ignored with a note', () => {
    expect(refusedBy(compare(yesterday, today), { lists: 0 })).toEqual([]);
    expect(noteUnknownBounds({ lists: 0.5, users: 0.5, toString: 1 })).toEqual([
      'the bound lists=0.5 is ignored: no check has that name',
      'the bound toString=1 is ignored: no check has that name',
    ]);
  });
});

describe('a refusal', () => {
  const { rows } = runChecks(compare(yesterday, mapLists(today, half)), { accepted: [] });

  test('says the bound, both values and where', () => {
    expect(rows.filter(({ verdict }) => verdict === 'refused').map(describeRefusal)).toEqual([
      'users: expected at least 0.9 of live, got 150 (live 300)',
      'empty-lists: expected at most 0.1, got 0.5 (live 0); 150 missing, 0 without items, of 300',
    ]);
  });

  test('that is accepted stays in the table with its reason, and the others refuse', () => {
    const one = judge(rows, { accepted: ['users', 'bytes'], why: 'a trial' });
    expect(one.verdict).toBe('refused');
    expect(one.rows.find(({ check }) => check === 'users')).toMatchObject({ verdict: 'accepted', detail: 'a trial' });
    expect(one.rows.find(({ check }) => check === 'bytes')).toMatchObject({ verdict: 'pass' });
    expect(judge(rows, { accepted: ['users', 'empty-lists'], why: 'a trial' })).toMatchObject({
      verdict: 'passed',
      reasons: [],
    });
  });
});
