// Splitting of an encoded message into fields without decoding them. A subset of a message's fields is a message of the
// same type, so a long message can be decoded in parts. Source: protobuf.dev, "Encoding".

export interface EncodedField {
  readonly number: number;
  /** Offsets of the field with its tag in the message. */
  readonly start: number;
  readonly end: number;
}

const WIRE_TYPES = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

/** The fields in order. Throws an Error for a malformed message. */
export function fieldsOf(message: Buffer): EncodedField[] {
  const fields: EncodedField[] = [];
  let at = 0;

  /** Reads values up to 2^53, which exceeds all lengths and tags. */
  function readVarint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined || scale > 2 ** 63) throw new Error('expected a whole message, got a truncated one');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  function skip(wireType: number): void {
    if (wireType === WIRE_TYPES.varint) readVarint();
    else if (wireType === WIRE_TYPES.fixed64) at += 8;
    else if (wireType === WIRE_TYPES.fixed32) at += 4;
    else if (wireType === WIRE_TYPES.delimited) {
      const length = readVarint();
      at += length;
    } else throw new Error(`expected the wire type to be 0, 1, 2 or 5, got ${wireType}`);
    if (at > message.length) throw new Error('expected a whole message, got a truncated one');
  }

  while (at < message.length) {
    const start = at;
    const tag = readVarint();
    skip(tag % 8);
    fields.push({ number: Math.floor(tag / 8), start, end: at });
  }
  return fields;
}

/** Encodes a message from the given fields of another one. */
export const messageOf = (message: Buffer, fields: readonly EncodedField[]): Buffer =>
  Buffer.concat(fields.map(({ start, end }) => message.subarray(start, end)));
