// The grammar of every name that becomes part of a key. It excludes `#` and `/`, so no id can forge a row key, a
// qualifier or a cache key (docs/decisions/0022).
/** Ids of listeners and items: 1 to 128 bytes. A leading `~` is reserved for pseudo-users. */
export const PUBLIC_ID_PATTERN = /^[A-Za-z0-9._:@|+-][A-Za-z0-9._~:@|+-]{0,127}$/;
/** Surfaces and variants: 1 to 32 characters. */
export const NAME_PATTERN = /^[a-z][a-z0-9-]{0,31}$/;

export const ID_GRAMMAR = '1 to 128 of A-Z a-z 0-9 . _ ~ : @ | + - (a leading ~ is reserved)';
export const NAME_GRAMMAR = 'a lower-case letter, then up to 31 of a-z 0-9 -';

declare const brand: unique symbol;
/** A text that a check of this file accepted. No other code makes one: no unchecked text becomes part of a key. */
type Checked<Kind extends string> = string & { readonly [brand]: Kind };
/** Id of a listener or of an item, or a known pseudo-user. */
export type UserId = Checked<'user'>;
/** Name of a surface or of a variant. */
export type Name = Checked<'name'>;

/** The pseudo-user whose list is the fallback for listeners without a list. */
export const POPULAR_USER = '~popular' as UserId;
/** The name of the items' releases, in the place of a surface, and the empty one in the place of a variant. */
export const ITEMS_NAME = 'items' as Name;
export const NO_VARIANT = '' as Name;
/** The surface whose popular list is the fallback for surfaces without one. */
export const POPULAR_SURFACE = 'popular' as Name;

/** `text` as an id of a listener. Throws an Error for any other text. */
export function toUserId(text: string): UserId {
  if (isLoadableUser(text)) return text;
  throw new Error(`expected an id to be ${ID_GRAMMAR}, got ${JSON.stringify(text)}`);
}

/** `text` as a name. Throws an Error for any other text. */
export function toName(text: string): Name {
  if (isName(text)) return text;
  throw new Error(`expected a name to be ${NAME_GRAMMAR}, got ${JSON.stringify(text)}`);
}

/** Takes any value: a pattern alone would turn a number or a list into text. */
export const isPublicId = (id: unknown): id is UserId => typeof id === 'string' && PUBLIC_ID_PATTERN.test(id);

/** Whether a row may be written for `id`: a public id, or a known pseudo-user. */
export const isLoadableUser = (id: unknown): id is UserId => isPublicId(id) || id === POPULAR_USER;

export const isName = (text: unknown): text is Name => typeof text === 'string' && NAME_PATTERN.test(text);
