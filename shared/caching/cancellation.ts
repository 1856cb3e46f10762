// Cancellation signal: fires when no caller waits for the result. It does the work of an AbortSignal without an event
// object, because one read creates a signal for each key.
import { EarshotError } from '../wire/errors.ts';

export interface Cancellation {
  isCancelled(): boolean;
  /** Calls `listener` once, immediately if the signal has fired. Returns the function that removes the listener. */
  onCancel(listener: () => void): () => void;
}

/** The error of a wait whose caller cancelled. No caller receives it. */
export class CallerCancelled extends EarshotError {
  constructor() {
    super('deadline_exceeded', 'origin', 'the caller cancelled the wait');
  }
}

/** A signal and the method that fires it. */
export class CancellationSource implements Cancellation {
  #isCancelled = false;
  /** Few listeners; one in most cases. */
  readonly #listeners: (() => void)[] = [];

  isCancelled(): boolean {
    return this.#isCancelled;
  }

  onCancel(listener: () => void): () => void {
    if (this.#isCancelled) listener();
    else this.#listeners.push(listener);
    return () => {
      const at = this.#listeners.indexOf(listener);
      if (at !== -1) this.#listeners.splice(at, 1);
    };
  }

  /** Fires the signal. Later calls do nothing. */
  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** Removes all listeners: the awaited work has ended. */
  removeListeners(): void {
    this.#listeners.length = 0;
  }
}

/** A signal that fires when all of `cancellations` have fired. An undefined one never fires. */
export function combineCancellations(cancellations: readonly (Cancellation | undefined)[]): Cancellation {
  const combined = new CancellationSource();
  let active = cancellations.length;
  for (const cancellation of cancellations) {
    cancellation?.onCancel(() => {
      if (--active === 0) combined.cancel();
    });
  }
  return combined;
}
