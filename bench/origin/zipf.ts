// The share of reads that an origin's memory answers: requests follow Zipf's law (exponent 0.99), and the memory holds
// one user in twenty. The reader and the memory are the deployed ones. The table is replaced by an immediate answer,
// because only reads are counted.

import { createListReader } from '../../origin/lists/coalescing-reader.ts';
import type { CachedList } from '../../origin/lists/list-memory.ts';
import { createListMemory } from '../../origin/lists/list-memory.ts';
import { createCohortCounter } from '../../origin/metrics/cohorts.ts';
import { makeCacheKey } from '../../shared/domain/keys.ts';
import { DEFAULT_LIST_TTL_SECONDS, FULL_WEIGHT, type Manifest } from '../../shared/domain/manifest.ts';
import { createCounters } from '../../shared/runtime/counters.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { GENERATION, makeKey, makeListener, SURFACE, VARIANT } from '../support/table-data.ts';

export const USERS = 1_000_000;
export const CACHED_SHARE = 0.05;
export const EXPONENT = 0.99;
export const READS = 3_000_000;
const LIST_BYTES = 64;
const TIMEOUT_MS = 1_000;

const MANIFEST: Manifest = {
  version: 1,
  surfaces: {
    [SURFACE]: {
      salt: 'home-1',
      listTtlSeconds: DEFAULT_LIST_TTL_SECONDS,
      variants: [{ name: VARIANT, weight: FULL_WEIGHT, current: GENERATION }],
    },
  },
  erasures: [],
};

/** The share of reads that did not reach the table, after the memory is full. */
export async function measureZipf(): Promise<number> {
  const clock = createManualClock();
  let loads = 0;
  const list: CachedList = {
    value: { kind: 'list', bytes: new Uint8Array(LIST_BYTES), generation: GENERATION, digest: 'd'.repeat(16) },
    storedAtMs: clock.now(),
  };
  const memory = createListMemory(await bytesOf(USERS * CACHED_SHARE, list));
  const reader = createListReader({
    cohorts: createCohortCounter(),
    memory,
    load: async (queries) => {
      loads += queries.length;
      return queries.map(() => list);
    },
    guard: ({ timeoutMs }, work) => work(timeoutMs),
    manifest: () => MANIFEST,
    clock,
    counters: createCounters(),
    flightAgeMs: TIMEOUT_MS,
  });
  const pick = createZipf(USERS, EXPONENT);
  for (let i = 0; i < READS; i++) {
    if (i === READS / 3) loads = 0;
    const queries = [makeKey(makeListener(pick()))];
    if (reader.getCached(queries) === undefined) await reader.read(queries, TIMEOUT_MS);
  }
  return 1 - loads / ((READS * 2) / 3);
}

/** The bytes of memory for this many lists, measured by storing one. */
async function bytesOf(count: number, list: CachedList): Promise<number> {
  const memory = createListMemory(1_000_000);
  memory.set(makeCacheKey(makeKey(makeListener(USERS / 2))), list);
  return Math.ceil(memory.bytes * count);
}

/** Ranks from 0, by the inverse of their cumulative frequencies. */
function createZipf(count: number, exponent: number): () => number {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += 1 / (i + 1) ** exponent;
    cumulative[i] = sum;
  }
  return () => {
    const at = Math.random() * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cumulative[middle] as number) < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
