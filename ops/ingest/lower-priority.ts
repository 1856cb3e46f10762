// Lowers the priority of a load: serving processes on the same machine run first.
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

const THREADS = '/proc/self/task';

/**
 * Gives this process the lowest priority. On Linux the call affects one thread, so it is made for each, garbage
 * collection included.
 */
export function giveWay(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  for (const thread of listThreads()) {
    try {
      setPriority(thread, constants.priority.PRIORITY_LOW);
    } catch {
      // The thread has ended.
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
