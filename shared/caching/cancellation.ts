// Whether anybody still waits for what is being done for them. As an AbortSignal, but without an event: there is one for each key of a read, and
// hundreds may listen to one.
import { EarshotError } from '../wire/errors.ts';

export interface Presence {
  isGone(): boolean;
  /** Calls `leave` once, at once if it is so already; gives the function that takes it back. */
  onGone(leave: () => void): () => void;
}

/** What a wait ends with whose caller has gone; nobody is told of it. */
export class CallerGone extends EarshotError {
  constructor() {
    super('deadline_exceeded', 'origin', 'whoever waited for it has gone');
  }
}

/** One's own, to say that one has gone. */
export class OwnPresence implements Presence {
  #isGone = false;
  /** Few as a rule, and mostly one. */
  readonly #listeners: (() => void)[] = [];

  isGone(): boolean {
    return this.#isGone;
  }

  onGone(leave: () => void): () => void {
    if (this.#isGone) leave();
    else this.#listeners.push(leave);
    return () => {
      const at = this.#listeners.indexOf(leave);
      if (at !== -1) this.#listeners.splice(at, 1);
    };
  }

  /** Nobody waits any more. Later calls change nothing. */
  leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** Lets go of those who would be told: what they waited for is over. */
  settle(): void {
    this.#listeners.length = 0;
  }
}

/** Gone when the last of them has; one that is not known never has. */
export function presenceOfAll(presences: readonly (Presence | undefined)[]): Presence {
  const all = new OwnPresence();
  let left = presences.length;
  for (const presence of presences) {
    presence?.onGone(() => {
      if (--left === 0) all.leave();
    });
  }
  return all;
}
