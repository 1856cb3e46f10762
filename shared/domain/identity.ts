// The contents of bearer tokens, shared by the code that mints them and the code that verifies them. A token of one
// audience is never valid for the other.
/** The audience of a listener's or a service's token. A deployment can configure another one. */
export const LISTENER_AUDIENCE = 'earshot';
/** The audience of the edge's token for origins. */
export const ORIGIN_AUDIENCE = 'earshot-origin';

/** Permissions. The lists of the token's own user need none, unless TOKEN_REQUIRED_SCOPES names `recs:read`. */
export const SCOPES = {
  'recs:read': 'read the own lists, where TOKEN_REQUIRED_SCOPES demands it',
  'recs:read:any': "read any user's lists",
  'recs:preview': 'choose the variant with ?variant=',
  'recs:debug': 'see keys, region order and the decision trail with Earshot-Debug: 1',
  'recs:exposures': 'read the archive of exposures',
  'recs:status': 'read the status of the worker',
} as const;

export type Scope = keyof typeof SCOPES;

export const isScope = (text: string): text is Scope => Object.hasOwn(SCOPES, text);

/** HS256 requires a key at least as long as its hash (RFC 7518, section 3.2). */
export const MIN_SECRET_BYTES = 32;
