// The ids of a load with their lines, to find duplicates in bounded memory: an open-addressing table of 64-bit hashes,
// 12 bytes per slot. In the largest load two ids share a hash with a probability of 1 in 3 600.
import { murmur3 } from '../../shared/runtime/hash.ts';

export interface SeenIds {
  /**
   * Records `id` on `line`, from 1. Returns the line of an earlier occurrence, if any. Throws an Error if the table is
   * full.
   */
  add(id: string, line: number): number | undefined;
  has(id: string): boolean;
}

/** 12.5 million ids need 200 MB, 100 million 1.6 GB, and half as much again while the table grows. */
export const MAX_IDS = Math.floor(2 ** 27 * 0.75);
const INITIAL_SLOTS = 2 ** 12;
const MAX_LOAD = 0.75;

export function createSeenIds(maxIds = MAX_IDS): SeenIds {
  let slots = allocate(INITIAL_SLOTS);
  let count = 0;

  function grow(): void {
    const old = slots;
    slots = allocate(old.lines.length * 2);
    for (let i = 0; i < old.lines.length; i++) {
      const line = old.lines[i] ?? 0;
      if (line !== 0) insert(slots, old.high[i] ?? 0, old.low[i] ?? 0, line);
    }
  }

  return {
    add: (id, line) => {
      if (count >= slots.lines.length * MAX_LOAD) {
        if (count >= maxIds) throw new Error(`expected at most ${maxIds} lines in a load; load the rest with --add`);
        grow();
      }
      const earlier = insert(slots, highOf(id), lowOf(id), line);
      if (earlier === undefined) count++;
      return earlier;
    },
    has: (id) => slots.lines[find(slots, highOf(id), lowOf(id))] !== 0,
  };
}

const highOf = (id: string): number => murmur3(id, 0x51ed270b);
const lowOf = (id: string): number => murmur3(id, 0x3c6ef372);

interface Slots {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  /** 0 marks a free slot. */
  readonly lines: Uint32Array;
}

const allocate = (size: number): Slots => ({
  high: new Uint32Array(size),
  low: new Uint32Array(size),
  lines: new Uint32Array(size),
});

/** Returns the recorded line of this hash, or undefined after adding the new one. */
function insert(slots: Slots, hashHigh: number, hashLow: number, line: number): number | undefined {
  const i = find(slots, hashHigh, hashLow);
  const found = slots.lines[i] ?? 0;
  if (found !== 0) return found;
  slots.high[i] = hashHigh;
  slots.low[i] = hashLow;
  slots.lines[i] = line;
  return undefined;
}

/** Linear probing. The slot of this hash, or the free one that it would take. */
function find({ high, low, lines }: Slots, hashHigh: number, hashLow: number): number {
  const mask = lines.length - 1;
  for (let i = hashLow & mask; ; i = (i + 1) & mask)
    if (lines[i] === 0 || (low[i] === hashLow && high[i] === hashHigh)) return i;
}
