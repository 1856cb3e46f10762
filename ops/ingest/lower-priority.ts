// Whoever serves on the same machine goes first; alone, a load is as quick as without it.
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

const THREADS = '/proc/self/task';

/**
 * Gives this process the lowest priority, on Linux each of its threads: there the call is about one, and those that
 * collect garbage are others.
 */
export function giveWay(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  for (const thread of listThreads()) {
    try {
      setPriority(thread, constants.priority.PRIORITY_LOW);
    } catch {
      // It has ended.
    }
  }
}

function listThreads(): number[] {
  try {
    return readdirSync(THREADS).map(Number);
  } catch {
    return [];
  }
}
