// Two processes that need each other's users at once: readers, sibling loads and flights as they are wired, with the
// table answered by hand.
import { expect, test } from 'vitest';
import type { Guard } from '../../../../origin/guard/guard.ts';
import { createListReader, type ListReader } from '../../../../origin/lists/coalescing-reader.ts';
import { createListMemory } from '../../../../origin/lists/list-memory.ts';
import type { LoadLists, LoadResult } from '../../../../origin/lists/load-lists.ts';
import { readByOwner } from '../../../../origin/workers/read-by-owner.ts';
import { chooseWorker, createSiblingLoad } from '../../../../origin/workers/sibling-load.ts';
import { EMPTY_MANIFEST } from '../../../../shared/domain/manifest.ts';
import { createManualClock } from '../../../../shared/runtime/clock.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';
import type { ListQuery } from '../../../../shared/wire/read-request.ts';

const COUNT = 2;
const TIMEOUT_MS = 1000;
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const userOf = (worker: number): string => {
  for (let i = 0; ; i++) if (chooseWorker(`u:${i}`, COUNT) === worker) return `u:${i}`;
};
const ask = (user: string): ListQuery => ({ surface: 'home', variant: 'control', generation: 1, user });

const guard: Guard = ({ timeoutMs }, work) => work(timeoutMs);

function setUp() {
  const clock = createManualClock();
  const counters = createCounters();
  const tableCalls: { worker: number; users: string[]; answer(): void }[] = [];
  const readers: ListReader[] = [];
  for (let own = 0; own < COUNT; own++) {
    const fromTable: LoadLists = (asks) =>
      new Promise<LoadResult[]>((resolve) => {
        const storedAtMs = clock.now();
        const answer = () => resolve(asks.map(() => ({ value: { kind: 'absent' }, storedAtMs })));
        tableCalls.push({ worker: own, users: asks.map(({ user }) => user), answer });
      });
    const siblings = {
      own,
      count: COUNT,
      // A call takes its way: until it arrives the other process has begun loads of its own.
      readLists: async (worker: number, asks: readonly ListQuery[], timeoutMs: number) => {
        await settle();
        return (readers[worker] as ListReader).read(asks, timeoutMs);
      },
      close: () => {},
    };
    const lists = createListReader({
      memory: createListMemory(1_000_000),
      load: createSiblingLoad({ siblings, load: fromTable, guard, clock, counters }),
      guard,
      manifest: () => EMPTY_MANIFEST,
      clock,
      counters,
      flightAgeMs: TIMEOUT_MS,
    });
    readers.push(readByOwner(lists, COUNT));
  }
  return { readers: readers as [ListReader, ListReader], tableCalls };
}

test('two processes that are asked for each other\u2019s users at once do not wait for each other', async () => {
  const { readers, tableCalls } = setUp();
  const [a, b] = [userOf(0), userOf(1)];
  let answered = 0;
  const reads = readers.map(async (reader) => {
    const results = await reader.read([ask(a), ask(b)], TIMEOUT_MS);
    answered++;
    return results;
  });
  await settle();
  await settle();
  expect(tableCalls).toMatchObject([
    { worker: 0, users: [a] },
    { worker: 1, users: [b] },
  ]);
  for (const call of tableCalls) call.answer();
  await settle();
  expect(answered).toBe(2);
  for (const results of await Promise.all(reads)) expect(results).toEqual([{ kind: 'absent' }, { kind: 'absent' }]);
});

test('results come in the order of the asks, whichever process keeps them', async () => {
  const asked: string[][] = [];
  const read: ListReader['read'] = async (asks) => {
    asked.push(asks.map(({ user }) => user));
    return asks.map(({ user }) => ({ kind: 'list', generation: 1, digest: user.slice(2), bytes: new Uint8Array() }));
  };
  const users = Array.from({ length: 20 }, (_, i) => `u:${i}`);
  const reader = readByOwner({ read, getCached: () => undefined, flights: () => 0 }, COUNT);
  const results = await reader.read(users.map(ask), TIMEOUT_MS);
  expect(results.map((result) => result.kind === 'list' && `u:${result.digest}`)).toEqual(users);
  expect(asked.map((part) => new Set(part.map((user) => chooseWorker(user, COUNT))).size)).toEqual([1, 1]);
});
