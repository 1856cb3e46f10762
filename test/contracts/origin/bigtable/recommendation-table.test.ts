// Lists read from Bigtable: the right cell for each key, and failures that stay with their keys.

import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import type { ListKey } from '../../../../shared/domain/keys.ts';
import { eventually } from '../../../support/waiting.ts';
import { MONDAY, startEmptyInstance, TIMEOUT_MS, TUESDAY, WEDNESDAY } from '../instance.ts';
import readFailures from './read-failures.json' with { type: 'json' };
import { openTable, readCalls, startTable, textOf, users } from './running-table.ts';

const key = (generation: number, user = 'u:1', surface = 'home', variant = 'control'): ListKey => ({
  surface: toName(surface),
  variant: toName(variant),
  generation,
  user: toUserId(user),
});
const unavailable = { kind: 'error', code: 'unavailable' } as const;
const internal = { kind: 'error', code: 'internal' } as const;

test('a list comes with its bytes, the generation it was computed in and the digest of its bytes', async () => {
  const { read, write } = await startTable();
  const value = '{"id":"a","score":1.0},\n{"id":"é","score":1e3}';
  await write(key(MONDAY), value);
  const digest = hash('sha256', value, 'base64url').slice(0, 16);
  expect(await read(key(MONDAY))).toEqual([{ kind: 'list', bytes: Buffer.from(value), generation: MONDAY, digest }]);
});

test('a user who is missing from a generation keeps the list from the one before', async () => {
  const { read, write } = await startTable();
  await write(key(MONDAY), 'monday');
  await write(key(WEDNESDAY, 'u:2'), 'wednesday');
  expect(await read(key(WEDNESDAY))).toMatchObject([{ generation: MONDAY }]);
});

test('a newer generation is not served before it is asked for, by a millisecond', async () => {
  const { read, write } = await startTable();
  for (const generation of [MONDAY, TUESDAY, WEDNESDAY]) await write(key(generation), String(generation));
  const asked = [MONDAY - 1, MONDAY, TUESDAY - 1, TUESDAY, WEDNESDAY - 1, WEDNESDAY].map((generation) =>
    key(generation),
  );
  expect((await read(...asked)).map(textOf)).toEqual([
    'absent',
    String(MONDAY),
    String(MONDAY),
    String(TUESDAY),
    String(TUESDAY),
    String(WEDNESDAY),
  ]);
});

test('another surface, another variant and a name that begins alike are absent, not somebody else\u2019s list', async () => {
  const { read, write } = await startTable();
  await write(key(MONDAY), 'mine');
  const others = [
    key(MONDAY, 'u:2'),
    key(MONDAY, 'u:11'),
    key(MONDAY, 'u:1', 'rediscover'),
    key(MONDAY, 'u:1', 'home', 'control-2'),
    key(MONDAY, 'u:1', 'home', 'contro'),
  ];
  expect(await read(...others)).toEqual(others.map(() => ({ kind: 'absent' })));
});

test('keys over several surfaces, variants and generations come back in the order they were asked in', async () => {
  const { read, seen, write } = await startTable();
  const keys = users(12).flatMap((user) =>
    ['home', 'rediscover'].flatMap((surface) =>
      ['control', 'knn'].flatMap((variant) =>
        [MONDAY, TUESDAY].map((generation) => key(generation, user, surface, variant)),
      ),
    ),
  );
  await Promise.all(keys.map((each) => write(each, JSON.stringify(each))));
  const shuffled = keys.map((_, i) => keys[(i * 37) % keys.length] ?? key(MONDAY));
  expect(new Set(shuffled).size).toBe(keys.length);
  expect((await read(...shuffled)).map(textOf)).toEqual(shuffled.map((each) => JSON.stringify(each)));
  expect(seen.calls).toEqual(Array(8).fill(12));
});

test('a user asked for twice is read once and answered twice', async () => {
  const { read, server, write } = await startTable();
  await write(key(MONDAY), 'mine');
  server.resetCounters();
  expect((await read(key(MONDAY), key(MONDAY, 'u:2'), key(MONDAY))).map(textOf)).toEqual(['mine', 'absent', 'mine']);
  expect(server.counters('asia')).toMatchObject({ calls: { ReadRows: 1 }, keysAsked: 2, rowsRead: 1 });
});

test.each([
  { keys: 0, calls: 0 },
  { keys: 1, calls: 1 },
  { keys: 31, calls: 1 },
  { keys: 100, calls: 2 },
  { keys: 101, calls: 2 },
  { keys: 200, calls: 2 },
  { keys: 201, calls: 3 },
])('$keys keys with one filter are $calls calls of at most 100', async ({ keys, calls }) => {
  const { read, seen, server, write } = await startTable();
  await write(key(MONDAY, `u:${keys - 1}`), 'last');
  server.resetCounters();
  const results = await read(...users(keys).map((user) => key(MONDAY, user)));
  expect(results.map(textOf)).toEqual(users(keys).map((_, i) => (i === keys - 1 ? 'last' : 'absent')));
  expect(readCalls(server)).toBe(calls);
  expect(server.counters('asia').keysAsked).toBe(keys);
  expect(seen.calls).toHaveLength(calls);
});

test('a list of 10 MB comes whole', async () => {
  const { read, write } = await startTable();
  const value = Buffer.alloc(10 * 1024 * 1024, 'earshot ');
  await write(key(MONDAY), value);
  const [result] = await read(key(MONDAY));
  expect(result).toMatchObject({ kind: 'list', digest: hash('sha256', value, 'base64url').slice(0, 16) });
  expect(result?.kind === 'list' && value.equals(result.bytes)).toBe(true);
});

test('a list of 8 bytes that would pass for a number comes as bytes', async () => {
  const { read, write } = await startTable();
  const value = Buffer.from([0, 0, 0, 0, 0, 0, 0, 7]);
  await write(key(MONDAY), value);
  expect(await read(key(MONDAY))).toMatchObject([{ kind: 'list', bytes: value }]);
});

test.each(readFailures)(
  'a call that fails as $code is sent $calls times, and each of its keys is $result',
  async (failure) => {
    const { read, seen, server } = await startTable();
    server.setFault('asia', { errorCode: failure.code as 'UNAVAILABLE' });
    const keys = users(3).map((user) => key(MONDAY, user));
    expect(await read(...keys)).toEqual(keys.map(() => ({ kind: 'error', code: failure.result })));
    expect(server.counters('asia').calls).toEqual({ ReadRows: failure.calls });
    expect(seen.retries).toBe(failure.calls - 1);
    expect(seen.errors).toMatchObject([{ name: 'EarshotError', code: failure.result, source: 'table' }]);
  },
);

test('a cluster that is down gives each key an error, and lists again once it is up', async () => {
  const { read, seen, server, write } = await startTable();
  await write(key(MONDAY), 'mine');
  server.setFault('asia', { down: true });
  expect(await read(key(MONDAY), key(MONDAY, 'u:2'))).toEqual([unavailable, unavailable]);
  expect(seen.errors).toHaveLength(1);
  server.setFault('asia', {});
  expect((await read(key(MONDAY))).map(textOf)).toEqual(['mine']);
});

test('a cluster that never answers is given up at the deadline, after one call', async () => {
  const { table, server } = await startTable();
  server.setFault('asia', { blackHole: true });
  expect(await table.readLists([key(MONDAY)], 50)).toEqual([{ kind: 'error', code: 'deadline_exceeded' }]);
  expect(server.counters('asia').calls).toEqual({ ReadRows: 1 });
});

test('a read that was given up leaves no work at the cluster', async () => {
  const clock = createManualClock();
  const { table, server, write } = await startTable({ clock });
  await write(key(MONDAY), 'mine');
  server.resetCounters();
  server.setFault('asia', { latencyMs: 60_000 });
  const reading = table.readLists([key(MONDAY)], 300);
  await eventually(() => expect(clock.pending()).toBe(1));
  expect(await reading).toEqual([{ kind: 'error', code: 'deadline_exceeded' }]);
  await eventually(() => expect(clock.pending()).toBe(0));
  clock.advance(120_000);
  expect(server.counters('asia')).toMatchObject({ calls: { ReadRows: 1 }, rowsRead: 0 });
});

test('a table or a profile that does not exist is an error for each key, not a rejection and not an empty list', async () => {
  const { address } = await startEmptyInstance();
  const { table, seen } = await openTable(address, { appProfile: 'default' });
  expect(await table.readLists([key(MONDAY), key(TUESDAY)], TIMEOUT_MS)).toEqual([internal, internal]);
  expect(seen.errors).toMatchObject([{ message: expect.stringContaining('Table not found') }]);
  await expect(openTable(address, { appProfile: 'serve-mars' })).rejects.toThrow('App profile not found');
});

test('a call that fails harms only its own keys', async () => {
  const draws = [0.1, 0.9];
  const { read, server, write } = await startTable({ random: () => draws.shift() ?? 1 });
  const generations = [MONDAY, TUESDAY];
  const keys = ['u:1', 'u:2'].flatMap((user) => generations.map((generation) => key(generation, user)));
  for (const each of keys) await write(each, 'list');
  server.setFault('asia', { errorShare: 0.5, errorCode: 'PERMISSION_DENIED' });
  const results = await read(...keys);
  const failed = generations.map((generation) =>
    results.filter((result, i) => keys[i]?.generation === generation && result.kind === 'error'),
  );
  expect(failed.map((each) => each.length).sort()).toEqual([0, 2]);
  expect(results.filter((result) => textOf(result) === 'list')).toHaveLength(2);
});
