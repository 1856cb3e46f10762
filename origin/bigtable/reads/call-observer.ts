// Observer of the ReadRows calls on one table.
import type { EarshotError } from '../../../shared/wire/errors.ts';
import type { RequestTrace } from '../../tracing/request-trace.ts';
import type { Route } from './route.ts';

export interface ObservedCall {
  readonly keys: number;
  readonly route: Route;
  /** Traces of the requests that wait for it. */
  readonly traces: readonly RequestTrace[];
}

export interface CallEnd {
  readonly latencyMs: number;
  readonly error?: EarshotError;
}

export interface CallObserver {
  /** A ReadRows call is sent. The result is called when it has ended, or is cancelled because its keys are known. */
  onCall(call: ObservedCall): (end: CallEnd) => void;
  /** The missing keys of a failed call are read again. */
  onRetry(): void;
  /** `keys` keys are read through the other app profile, because the local cluster failed them or is ejected. */
  onFailover(keys: number): void;
  /** A hedge returned the last key, did not, or was denied by the budget. */
  onHedge(outcome: 'won' | 'lost' | 'denied'): void;
}

export const NO_OBSERVER: CallObserver = {
  onCall: () => () => {},
  onRetry: () => {},
  onFailover: () => {},
  onHedge: () => {},
};
