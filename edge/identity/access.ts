// What a token must allow for the reads of one request. A scope that is missing refuses the request, however many of its reads need it: an
// answer in part would hide from a service that it was set up wrongly.
import type { Scope } from '../../shared/domain/identity.ts';
import type { Read } from '../reads/serve-reads.ts';
import { missingScope } from './access-error.ts';
import type { Identity } from './identity.ts';

/** Throws an AccessError that names the first scope that `identity` lacks for `reads`, with or without debug output. */
export function checkAccess(
  identity: Identity,
  reads: readonly Pick<Read, 'user' | 'variant'>[],
  debug: boolean,
): void {
  if (reads.some(({ user }) => user !== identity.user)) requireScope(identity, 'recs:read:any');
  if (reads.some(({ variant }) => variant !== undefined)) requireScope(identity, 'recs:preview');
  if (debug) requireScope(identity, 'recs:debug');
}

/** Throws an AccessError when `identity` lacks `scope`. */
export function requireScope({ scopes }: Identity, scope: Scope): void {
  if (!scopes.has(scope)) throw missingScope(scope);
}
