// Whether anybody still waits for what is being done for them. As an AbortSignal, but without an event: there is one for each key of a read, and
// hundreds may listen to one.
import { EarshotError } from './errors.ts';

export interface Presence {
  isGone(): boolean;
  /** Calls `leave` once, at once if it is so already; gives the function that takes it back. */
  onGone(leave: () => void): () => void;
}

export interface OwnPresence extends Presence {
  /** Nobody waits any more. Later calls change nothing. */
  readonly leave: () => void;
}

/** What a wait ends with whose caller has gone; nobody is told of it. */
export class CallerGone extends EarshotError {
  constructor() {
    super('deadline_exceeded', 'origin', 'whoever waited for it has gone');
  }
}

export function createPresence(): OwnPresence {
  const listeners = new Set<() => void>();
  let isGone = false;
  return {
    isGone: () => isGone,
    onGone: (leave) => {
      if (isGone) leave();
      else listeners.add(leave);
      return () => {
        listeners.delete(leave);
      };
    },
    leave: () => {
      if (isGone) return;
      isGone = true;
      for (const listener of listeners) listener();
      listeners.clear();
    },
  };
}

/** Gone when the last of them has; one that is not known never has. */
export function presenceOfAll(presences: readonly (Presence | undefined)[]): Presence {
  const all = createPresence();
  let left = presences.length;
  for (const presence of presences) {
    presence?.onGone(() => {
      if (--left === 0) all.leave();
    });
  }
  return all;
}
