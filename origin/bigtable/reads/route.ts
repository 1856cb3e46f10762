// The route of a ReadRows call, and what its end says of the local cluster. Pure.
import type { EarshotError } from '../../../shared/wire/errors.ts';
import { isUnavailable } from '../bigtable-error.ts';

/**
 * `local`: the app profile of the region. `failover`, `hedge`: the other profile, which may lead to another cluster.
 */
export type Route = 'local' | 'failover' | 'hedge';

export interface RoutedCall {
  readonly route: Route;
  /** Whether the call returned anything. */
  readonly hasProgressed: boolean;
}

export const firstRoute = (hasOtherProfile: boolean, isLocalUp: boolean): Route =>
  hasOtherProfile && !isLocalUp ? 'failover' : 'local';

/** The route after a failed call; undefined if the keys are given up. */
export function routeAfter(
  call: RoutedCall,
  error: EarshotError,
  hasOtherProfile: boolean,
  isLocalUp: boolean,
): Route | undefined {
  if (isProfileFault(call, error)) return 'local';
  if (!error.retryable || error.code === 'overloaded') return undefined;
  const isClusterAway = call.route === 'local' && !call.hasProgressed && isUnavailable(error);
  return isClusterAway && hasOtherProfile ? 'failover' : firstRoute(hasOtherProfile, isLocalUp);
}

/** The other profile does not exist or is not allowed: its error says nothing of the cluster. */
export const isProfileFault = ({ route }: RoutedCall, error: EarshotError): boolean =>
  route === 'failover' && !error.retryable;

/**
 * The verdict on the local cluster. `error` is undefined for a call that completed, or whose hedge returned all keys. A
 * cancelled call counts as a failure if it took longer than `slowMs`: a shorter silence may be due to a short deadline.
 */
export function localVerdict(
  { hasProgressed }: RoutedCall,
  error: EarshotError | undefined,
  isHedgeFirst: boolean,
  latencyMs: number,
  slowMs: () => number,
): 'answered' | 'failed' | undefined {
  if (hasProgressed) return 'answered';
  if (error === undefined) return isHedgeFirst ? 'failed' : 'answered';
  if (isUnavailable(error)) return 'failed';
  return error.code === 'deadline_exceeded' && latencyMs >= slowMs() ? 'failed' : undefined;
}
