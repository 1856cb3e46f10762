// The access that a caller has to a request, as documented (docs/authentication.md). It uses none of the tested code.
import type { DrawnRequest } from './requests.ts';

export type Access =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'unauthenticated' }
  | { readonly kind: 'forbidden'; readonly scope: string };

export function accessOf({ caller, reads, isDebug }: DrawnRequest): Access {
  if (caller.user === undefined) return { kind: 'unauthenticated' };
  // A refused read needs no scope.
  const valid = reads.filter(({ isValid }) => isValid);
  const needed = [
    ...(valid.some(({ user }) => user !== caller.user) ? ['recs:read:any'] : []),
    ...(valid.some(({ variant }) => variant !== undefined) ? ['recs:preview'] : []),
    ...(isDebug ? ['recs:debug'] : []),
  ];
  const scope = needed.find((each) => !caller.scopes.has(each));
  return scope === undefined ? { kind: 'allowed' } : { kind: 'forbidden', scope };
}
