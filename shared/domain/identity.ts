// What the bearer tokens say, agreed between those who mint them and those who check them. Never one for the other: the
// audiences differ.

/** The audience of a listener's or a service's token. A deployment may name its own. */
export const LISTENER_AUDIENCE = 'earshot';
/** The audience of the token with which the edge calls origins. */
export const ORIGIN_AUDIENCE = 'earshot-origin';

/** What a token can allow beyond reading its own user's lists. */
export const SCOPES = {
  'recs:read:any': "read any user's lists",
  'recs:preview': 'choose the variant with ?variant=',
  'recs:debug': 'see keys, region order and the decision trail with Earshot-Debug: 1',
} as const;

export type Scope = keyof typeof SCOPES;

export const isScope = (text: string): text is Scope => Object.hasOwn(SCOPES, text);

/** HS256 wants a key at least as long as its hash (RFC 7518, section 3.2). */
export const MIN_SECRET_BYTES = 32;
