// The grammar of every name that reaches a key. `#` and `/` are outside it, so no id can forge a row key, a qualifier
// or a cache key.

/** What a listener or an item can be called: 1 to 128 bytes; a leading `~` is reserved for pseudo-users. */
export const PUBLIC_ID_PATTERN = /^[A-Za-z0-9._:@-][A-Za-z0-9._~:@-]{0,127}$/;
/** Surfaces and variants: 1 to 32 characters. */
export const NAME_PATTERN = /^[a-z][a-z0-9-]{0,31}$/;

export const ID_GRAMMAR = '1 to 128 of A-Z a-z 0-9 . _ ~ : @ - (a leading ~ is reserved)';
export const NAME_GRAMMAR = 'a lower-case letter, then up to 31 of a-z 0-9 -';

/** The pseudo-user whose list stands in for listeners who have none. */
export const POPULAR_USER = '~popular';
/** The surface whose popular list stands in on surfaces that have none of their own. */
export const POPULAR_SURFACE = 'popular';

/** Whether rows can be written for `id`: a public id, or a pseudo-user that Earshot knows. */
export const isLoadableUser = (id: string): boolean => PUBLIC_ID_PATTERN.test(id) || id === POPULAR_USER;

export const isName = (text: string): boolean => NAME_PATTERN.test(text);
