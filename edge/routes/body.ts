// JSON bodies of bounded size. Media type, size and form are checked before any element.
import { concatBytes, decodeUtf8 } from '../../shared/runtime/bytes.ts';
import { EarshotError } from '../../shared/wire/errors.ts';
import { refuseBody } from '../../shared/wire/json-body.ts';
import { describeValue } from './describe-value.ts';

/** The form of the body. */
export interface ListBody {
  /** Name of the member with the list. */
  readonly name: string;
  /** Bounds of its elements, and of the body. */
  readonly maxElements: number;
  readonly maxBytes: number;
}

/**
 * The unchecked elements of the list, 1 to `maxElements`. Throws `unsupported_media_type`, `payload_too_large` or
 * `invalid_request`.
 */
export async function readListBody(request: Request, form: ListBody): Promise<readonly unknown[]> {
  return elementsOf(await readJsonBody(request, form.maxBytes), form);
}

/** Throws `unsupported_media_type`, `payload_too_large`, or `invalid_request` for a body that is no JSON. */
export async function readJsonBody(request: Request, maxBytes: number): Promise<unknown> {
  checkMediaType(request.headers);
  return parseJson(await readBytes(request, maxBytes));
}

/** RFC 10008, section 2: a QUERY without a Content-Type must fail. */
function checkMediaType(headers: Headers): void {
  const refusal = refuseBody(headers.get('content-type'), headers.get('content-encoding'));
  if (refusal === undefined) return;
  throw new EarshotError('unsupported_media_type', 'edge', refusal.message, { headers: refusal.headers });
}

/**
 * Counts the bytes, too: a chunked body has no Content-Length. An endless body is read to one chunk beyond the bound.
 */
async function readBytes({ headers, body }: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new EarshotError('payload_too_large', 'edge', `expected at most ${maxBytes} bytes`);
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of readParts(body)) {
    length += part.length;
    if (length > maxBytes) throw tooLarge();
    parts.push(part);
  }
  return concatBytes(parts);
}

/** A caller that disconnects in the middle is not a failure of the service. */
async function* readParts(body: ReadableStream | null): AsyncGenerator<Uint8Array> {
  try {
    yield* body ?? [];
  } catch (cause) {
    throw new EarshotError('invalid_request', 'edge', 'the body ended early', { cause });
  }
}

function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = decodeUtf8(bytes);
  } catch (cause) {
    throw new EarshotError('invalid_request', 'edge', 'expected the body to be UTF-8', { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const got = describeValue(text === '' ? undefined : text);
    throw new EarshotError('invalid_request', 'edge', `expected the body to be JSON, got ${got}`, { cause });
  }
}

function elementsOf(value: unknown, { name, maxElements }: ListBody): readonly unknown[] {
  const refuse = (message: string) => new EarshotError('invalid_request', 'edge', message);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refuse(`expected the body to be an object with ${name}, got ${describeValue(value)}`);
  }
  const { [name]: elements, ...others } = value as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw refuse(`unknown member ${describeValue(unknown)} beside ${name}`);
  if (!Array.isArray(elements)) throw refuse(`expected ${name} to be a list, got ${describeValue(elements)}`);
  if (elements.length < 1 || elements.length > maxElements) {
    throw refuse(`expected 1 to ${maxElements} ${name}, got ${elements.length}`);
  }
  return elements;
}
