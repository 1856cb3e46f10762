// Reads the body of an answer into memory with a bound in bytes, and accounts for the bytes meanwhile.
import type { ByteHold } from '../../shared/runtime/byte-account.ts';
import { concatBytes } from '../../shared/runtime/bytes.ts';

/** The body is larger than its bound. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

/** The isolate has too many bytes in memory. The sender is not at fault. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';

  constructor() {
    super('too many bytes of answers and loads are in memory');
  }
}

/** Without `hold` the bytes are not accounted for. Throws a BodyTooLarge or a NoRoom, and cancels the body then. */
export async function readBody(
  response: Response,
  maxBytes: number,
  hold?: ByteHold,
): Promise<Uint8Array<ArrayBuffer>> {
  const { body, headers } = response;
  if (body === null) return new Uint8Array();
  const declared = declaredBytes(headers);
  if (declared !== undefined) {
    try {
      admit(declared, declared);
    } catch (error) {
      await body.cancel();
      throw error;
    }
    return new Uint8Array(await response.arrayBuffer());
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the body.
  for await (const part of body as ReadableStream<Uint8Array>) {
    bytes += part.length;
    admit(bytes, part.length);
    parts.push(part);
  }
  return concatBytes(parts);

  function admit(total: number, more: number): void {
    if (total > maxBytes) throw new BodyTooLarge(`expected a body of at most ${maxBytes} bytes, got more`);
    if (hold?.tryAdd(more) === false) throw new NoRoom();
  }
}

/** The length that the connection keeps to. That of a compressed body says nothing of its content. */
function declaredBytes(headers: Headers): number | undefined {
  const length = headers.get('content-length');
  return length !== null && /^\d{1,15}$/.test(length) && !headers.has('content-encoding') ? Number(length) : undefined;
}
