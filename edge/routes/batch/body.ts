// The body of a batch. Media type, size and form are checked before any read in it.
import { concatBytes, decodeUtf8 } from '../../../shared/runtime/bytes.ts';
import { EarshotError } from '../../../shared/wire/errors.ts';
import { refuseBody } from '../../../shared/wire/json-body.ts';
import { describeValue } from '../describe-value.ts';

export const MAX_BATCH_READS = 100;
/** 100 reads with the longest names need less than 29 KB. The rest allows for indentation. */
export const MAX_BATCH_BYTES = 65_536;

/**
 * The unchecked elements of `reads`, 1 to MAX_BATCH_READS. Throws `unsupported_media_type`, `payload_too_large` or
 * `invalid_request`.
 */
export async function readBatchBody(request: Request): Promise<readonly unknown[]> {
  checkMediaType(request.headers);
  return readsOf(parseJson(await readBytes(request)));
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
async function readBytes({ headers, body }: Request): Promise<Uint8Array> {
  const tooLarge = () => new EarshotError('payload_too_large', 'edge', `expected at most ${MAX_BATCH_BYTES} bytes`);
  if (Number(headers.get('content-length') ?? 0) > MAX_BATCH_BYTES) throw tooLarge();
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of readParts(body)) {
    length += part.length;
    if (length > MAX_BATCH_BYTES) throw tooLarge();
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

function readsOf(value: unknown): readonly unknown[] {
  const refuse = (message: string) => new EarshotError('invalid_request', 'edge', message);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refuse(`expected the body to be an object with reads, got ${describeValue(value)}`);
  }
  const { reads, ...others } = value as { reads?: unknown };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw refuse(`unknown member ${describeValue(unknown)} beside reads`);
  if (!Array.isArray(reads)) throw refuse(`expected reads to be a list, got ${describeValue(reads)}`);
  if (reads.length < 1 || reads.length > MAX_BATCH_READS) {
    throw refuse(`expected 1 to ${MAX_BATCH_READS} reads, got ${reads.length}`);
  }
  return reads;
}
