// A list reader in front of a table whose answers the test gives.

import { createManualClock } from '../../../../bench/support/manual-clock.ts';
import type { ReadFailure } from '../../../../origin/bigtable/stored-values.ts';
import type { Guard } from '../../../../origin/guard/guard.ts';
import { createListReader } from '../../../../origin/lists/coalescing-reader.ts';
import { createListMemory } from '../../../../origin/lists/list-memory.ts';
import { createTableLoad } from '../../../../origin/lists/load-lists.ts';
import { createCohortCounter } from '../../../../origin/metrics/cohorts.ts';
import { toName, toUserId } from '../../../../shared/domain/ids.ts';
import { type ListKey, makeUserHash } from '../../../../shared/domain/keys.ts';
import type { ListValue } from '../../../../shared/domain/list.ts';
import type { Manifest } from '../../../../shared/domain/manifest.ts';
import { createCounters } from '../../../../shared/runtime/counters.ts';
import { EarshotError } from '../../../../shared/wire/errors.ts';
import type { ListQuery } from '../../../../shared/wire/read-request.ts';

type Value = ListValue | ReadFailure;

export const TIMEOUT_MS = 1000;
export const FLIGHT_AGE_MS = 5000;
export const TTL_MS = 600_000;
export const absent: Value = { kind: 'absent' };
export const failure: Value = { kind: 'error', code: 'unavailable' };
export const list = (digest: string): Value => ({ kind: 'list', bytes: Buffer.from([1]), generation: 1, digest });
export const query = (user = 'u:1', change: Partial<ListQuery> = {}): ListQuery => ({
  surface: toName('home'),
  variant: toName('control'),
  generation: 1,
  user: toUserId(user),
  ...change,
});

/** Runs every callback that is due. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

export function setUp({ memoryBytes = 1_000_000, listTtlSeconds = TTL_MS / 1000 } = {}) {
  const clock = createManualClock();
  const counters = createCounters();
  let manifest: Manifest = {
    version: 1,
    surfaces: {
      home: { salt: 's', listTtlSeconds, variants: [{ name: toName('control'), weight: 10_000, current: 1 }] },
    },
    erasures: [],
  };
  /** Calls of the table. The test answers each, with one value for all keys. */
  const calls: { users: string[]; timeoutMs: number; answer(value: Value): void; reject(error: Error): void }[] = [];
  const readLists = (keys: readonly ListKey[], timeoutMs: number) =>
    new Promise<Value[]>((resolve, reject) => {
      const users = keys.map(({ user }) => user);
      calls.push({ users, timeoutMs, answer: (value) => resolve(keys.map(() => value)), reject });
    });
  const guarded: { isBackground: boolean; weight: number; timeoutMs: number }[] = [];
  let shed = (_isBackground: boolean): boolean => false;
  const guard: Guard = async (entry, work) => {
    guarded.push(entry);
    if (shed(entry.isBackground)) throw new EarshotError('overloaded', 'origin', 'no room');
    return work(entry.timeoutMs / 2);
  };
  const memory = createListMemory(memoryBytes);
  const cohorts = createCohortCounter();
  const reader = createListReader({
    cohorts,
    memory,
    load: createTableLoad({ table: { readLists }, manifest: () => manifest, clock, counters }),
    guard,
    manifest: () => manifest,
    clock,
    counters,
    flightAgeMs: FLIGHT_AGE_MS,
  });
  const read = (...queries: ListQuery[]) => reader.read(queries, TIMEOUT_MS);
  /** Reads a key that is not in memory. The table answers `value`. */
  const load = async (value: Value, each = query()) => {
    const reading = read(each);
    await settle();
    calls.at(-1)?.answer(value);
    return reading;
  };
  const erase = (user: string, atMs: number) => {
    manifest = { ...manifest, erasures: [{ userHash: makeUserHash(user), atMs }] };
  };
  /** Names a canary of home/control. */
  const startCanary = (generation: number) => {
    const [name, home] = ['home', manifest.surfaces.home];
    const [variant] = home?.variants ?? [];
    if (home === undefined || variant === undefined) throw new Error('expected home/control');
    const canary = { generation, share: 0.1, untilMs: clock.now() + 3_600_000 };
    manifest = { ...manifest, surfaces: { [name]: { ...home, variants: [{ ...variant, canary }] } } };
  };
  const shedIf = (isShed: (isBackground: boolean) => boolean) => {
    shed = isShed;
  };
  return {
    calls,
    clock,
    cohortSums: () => cohorts.sums(manifest),
    counters,
    erase,
    guarded,
    load,
    memory,
    read,
    reader,
    shedIf,
    startCanary,
  };
}

/** Whether the next read is served from memory. */
export async function isCached({ calls, read }: ReturnType<typeof setUp>, each = query()): Promise<boolean> {
  const before = calls.length;
  const reading = read(each);
  await settle();
  for (const call of calls.slice(before)) call.answer(list('anew'));
  await reading;
  return calls.length === before;
}
