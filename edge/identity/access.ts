// The scopes that the reads of one request need: those that every token must have, and those of each option. A missing
// scope refuses the whole request, however many of its reads need it: a partial answer would hide a service's wrong
// setup.
import type { Scope } from '../../shared/domain/identity.ts';
import type { Read } from '../reads/fallback.ts';
import { missingScope } from './access-error.ts';
import type { Identity } from './claims.ts';

/** Throws `forbidden` with the first scope that `identity` lacks for `reads`, with or without debug output. */
export function checkAccess(
  identity: Identity,
  reads: readonly Pick<Read, 'user' | 'variant'>[],
  debug: boolean,
): void {
  if (reads.length > 0 && identity.lacks !== undefined) throw missingScope(identity.lacks);
  if (reads.some(({ user }) => user !== identity.user)) requireScope(identity, 'recs:read:any');
  if (reads.some(({ variant }) => variant !== undefined)) requireScope(identity, 'recs:preview');
  if (debug) requireScope(identity, 'recs:debug');
}

/** Throws `forbidden` if `identity` lacks `scope`. */
export function requireScope({ scopes }: Identity, scope: Scope): void {
  if (!scopes.has(scope)) throw missingScope(scope);
}
