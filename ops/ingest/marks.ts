// Checkpoints of a load. Each waits until the cells of its lines are stored.

import type { Checkpoint } from '../bigtable/release-record.ts';
import type { BulkWriter } from '../bigtable/writes/bulk-writer.ts';

export interface Marks {
  /** A point between two groups of lines. All cells of before were given to the writer. */
  add(checkpoint: Checkpoint): void;
}

/** Points that wait at once. Others are left out: a later one says more. */
const MAX_WAITING = 64;

export function createMarks(
  writer: Pick<BulkWriter, 'accepted' | 'stored'>,
  onStored: (checkpoint: Checkpoint) => void = () => undefined,
): Marks {
  const waiting: { readonly cells: number; readonly checkpoint: Checkpoint }[] = [];
  return {
    add: (checkpoint) => {
      const stored = writer.stored();
      const done = waiting.findLastIndex(({ cells }) => cells <= stored);
      const latest = waiting[done];
      if (latest !== undefined) {
        onStored(latest.checkpoint);
        waiting.splice(0, done + 1);
      }
      if (waiting.length < MAX_WAITING) waiting.push({ cells: writer.accepted(), checkpoint });
    },
  };
}
