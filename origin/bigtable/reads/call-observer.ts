// Observer of the ReadRows calls on one table.
import type { EarshotError } from '../../../shared/wire/errors.ts';

export interface CallObserver {
  /** A ReadRows call for `keys` keys was sent. */
  onCall(keys: number): void;
  /** The call has ended, or was cancelled because its keys are known. */
  onCallEnd(call: { readonly keys: number; readonly latencyMs: number; readonly error?: EarshotError }): void;
  /** The missing keys of a failed call are read again. */
  onRetry(): void;
  /** `keys` keys are read through the other app profile, because the local cluster failed them or is ejected. */
  onFailover(keys: number): void;
  /** A hedge returned the last key, did not, or was denied by the budget. */
  onHedge(outcome: 'won' | 'lost' | 'denied'): void;
}

export const NO_OBSERVER: CallObserver = {
  onCall: () => {},
  onCallEnd: () => {},
  onRetry: () => {},
  onFailover: () => {},
  onHedge: () => {},
};
