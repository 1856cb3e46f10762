// What a token must allow for the reads of one request. A scope that is missing refuses the request, however many of its reads need it: an
// answer in part would hide from a service that it was set up wrongly.
import type { Scope } from '../../shared/identity.ts';
import type { Read } from '../lists/ladder.ts';
import { missingScope } from './access-error.ts';
import type { Identity } from './identity.ts';

/** Throws an AccessError that names the first scope that `identity` lacks for `reads`, with or without debug output. */
export function checkAccess(
  { user: self, scopes }: Identity,
  reads: readonly Pick<Read, 'user' | 'variant'>[],
  debug: boolean,
): void {
  const expectScope = (scope: Scope): void => {
    if (!scopes.has(scope)) throw missingScope(scope);
  };
  if (reads.some(({ user }) => user !== self)) expectScope('recs:read:any');
  if (reads.some(({ variant }) => variant !== undefined)) expectScope('recs:preview');
  if (debug) expectScope('recs:debug');
}
