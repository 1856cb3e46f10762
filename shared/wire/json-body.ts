// The media type and coding of a JSON body, as the worker checks them for batches and origins for lists:read.

export const JSON_TYPE = 'application/json';

const MAX_SHOWN_CHARACTERS = 64;

export interface BodyRefusal {
  readonly message: string;
  /** The accepted form (RFC 9110, sections 15.5.16 and 12.5.3). */
  readonly headers: Readonly<Record<string, string>>;
}

/** The reason for which a body with these headers is refused (415). Undefined for plain JSON in UTF-8. */
export function refuseBody(
  contentType: string | null | undefined,
  contentEncoding: string | null | undefined,
): BodyRefusal | undefined {
  // The usual form, without taking it apart.
  if (contentType === JSON_TYPE && (contentEncoding === undefined || contentEncoding === null)) return undefined;
  const [type = '', ...parameters] = (contentType ?? '').toLowerCase().split(';');
  const charset = parameters.map((each) => each.trim()).find((each) => each.startsWith('charset='));
  if (type.trim() !== JSON_TYPE || !['utf-8', '"utf-8"', undefined].includes(charset?.slice('charset='.length))) {
    const message = `expected Content-Type to be ${JSON_TYPE}, got ${show(contentType)}`;
    return { message, headers: { Accept: JSON_TYPE } };
  }
  if (contentEncoding === null || contentEncoding === undefined) return undefined;
  if (contentEncoding.trim().toLowerCase() === 'identity') return undefined;
  const message = `expected Content-Encoding to be identity, got ${show(contentEncoding)}`;
  return { message, headers: { 'Accept-Encoding': 'identity' } };
}

const show = (header: string | null | undefined): string =>
  header === null || header === undefined ? 'nothing' : JSON.stringify(header.slice(0, MAX_SHOWN_CHARACTERS));
